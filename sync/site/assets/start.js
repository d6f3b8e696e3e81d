// Runs before the first paint: sets the last chosen language and theme, so that the page does not flicker.
(() => {
  let kept = {};
  try { kept = { lang: localStorage.getItem("language"), theme: localStorage.getItem("theme") }; } catch { /* storage is disabled */ }
  const root = document.documentElement;
  const chinese = kept.lang ? kept.lang === "zh-CN" : (navigator.language || "").startsWith("zh");
  root.lang = chinese ? "zh-CN" : "en";
  if (kept.theme === "light" || kept.theme === "dark") root.dataset.theme = kept.theme;
  root.classList.add("scripted");
})();
