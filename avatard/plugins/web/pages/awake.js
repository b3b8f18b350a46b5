// Keeps the device's own screen from going to sleep, where the browser lets a page do so.

export function keepAwake() {
  const ask = async () => {
    if (document.hidden) return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch {
      // A low battery or plain http: the device decides by itself.
    }
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}
