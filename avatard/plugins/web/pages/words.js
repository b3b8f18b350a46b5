// The few words on the room's page, in the languages of its house; English where one is missing.

const WORDS = {
  en: {
    idle: "Ready", listening: "Listening", processing: "Thinking", responding: "Speaking", error: "Something went wrong",
    muted: "Microphone off", away: "Looking for avatard", starting: "Starting", sound: "Tap for sound", timer: "Timer",
  },
  de: {
    idle: "Bereit", listening: "Ich höre zu", processing: "Ich überlege", responding: "Ich spreche", error: "Etwas ging schief",
    muted: "Mikrofon aus", away: "Suche avatard", starting: "Startet", sound: "Für Ton antippen", timer: "Timer",
  },
  fr: {
    idle: "Prêt", listening: "J’écoute", processing: "Je réfléchis", responding: "Je parle", error: "Un problème est survenu",
    muted: "Micro coupé", away: "À la recherche d’avatard", starting: "Démarrage", sound: "Touchez pour le son", timer: "Minuteur",
  },
  es: {
    idle: "Listo", listening: "Escuchando", processing: "Pensando", responding: "Hablando", error: "Algo ha fallado",
    muted: "Micrófono apagado", away: "Buscando avatard", starting: "Iniciando", sound: "Toca para oír", timer: "Temporizador",
  },
  it: {
    idle: "Pronto", listening: "Ti ascolto", processing: "Ci penso", responding: "Sto parlando", error: "Qualcosa è andato storto",
    muted: "Microfono spento", away: "Cerco avatard", starting: "Avvio", sound: "Tocca per l’audio", timer: "Timer",
  },
  nl: {
    idle: "Klaar", listening: "Ik luister", processing: "Ik denk na", responding: "Ik spreek", error: "Er ging iets mis",
    muted: "Microfoon uit", away: "Zoekt avatard", starting: "Start op", sound: "Tik voor geluid", timer: "Timer",
  },
};

/** A word in the page's language. */
export function word(name) {
  const language = document.documentElement.lang.split("-")[0];
  return WORDS[language]?.[name] ?? WORDS.en[name] ?? name;
}
