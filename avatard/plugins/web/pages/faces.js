// The faces with their pictures, one of which is worn.

export class Faces {
  constructor(fieldset, onchoose) {
    this.fieldset = fieldset;
    fieldset.addEventListener("change", (event) => onchoose(event.target.value));
  }

  show(names, current) {
    for (const label of this.fieldset.querySelectorAll("label")) label.remove();
    this.fieldset.append(...names.map((name) => this.#label(name)));
    this.fieldset.hidden = !names.length;
    this.choose(current);
  }

  choose(name) {
    for (const input of this.fieldset.querySelectorAll("input")) input.checked = input.value === name;
  }

  #label(name) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "face", value: name });
    const picture = document.createElement("img");
    Object.assign(picture, { alt: "", loading: "lazy", width: 96, height: 96, src: `/preview/face/${encodeURIComponent(name)}.png` });
    picture.addEventListener("error", () => picture.remove());
    const title = document.createElement("span");
    title.textContent = name;
    label.append(input, picture, title);
    return label;
  }
}
