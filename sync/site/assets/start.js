// Runs before the first paint: the language and the theme that the reader chose last, so that nothing flashes.
(() => {
  let kept = {};
  try { kept = { lang: localStorage.getItem("language"), theme: localStorage.getItem("theme") }; } catch { /* none is kept */ }
  const root = document.documentElement;
  const chinese = kept.lang ? kept.lang === "zh-CN" : (navigator.language || "").startsWith("zh");
  root.lang = chinese ? "zh-CN" : "en";
  if (kept.theme === "light" || kept.theme === "dark") root.dataset.theme = kept.theme;
  root.classList.add("scripted");
})();
