// Functions of every page: language, theme, replacements of broken pictures, copy buttons.
(() => {
  const root = document.documentElement;
  const language = document.getElementById("language");
  const theme = document.getElementById("theme");

  function translate() {
    language.textContent = page.chinese ? "English" : "中文";
    language.lang = page.chinese ? "en" : "zh-CN";
    for (const each of document.querySelectorAll("[data-zh]")) { // attributes cannot contain two spans
      const says = { INPUT: "placeholder", OPTION: "textContent" }[each.tagName] ?? "ariaLabel";
      each.dataset.en ??= each[says];
      each[says] = page.text(each.dataset.en, each.dataset.zh);
    }
    page.tellFreshness();
  }

  language.addEventListener("click", () => {
    root.lang = page.chinese ? "en" : "zh-CN";
    page.keep("language", root.lang);
    translate();
    document.dispatchEvent(new Event("languagechange"));
  });

  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    page.keep("theme", root.dataset.theme);
  });

  // The fragment of the address holds the filters, so this link must not replace it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });

  // A picture that fails is removed, which shows the tile behind it. Errors do not bubble, so they are captured.
  addEventListener("error", (event) => {
    if (event.target instanceof HTMLImageElement) event.target.classList.add("broken");
  }, true);
  for (const image of document.images) if (image.complete && !image.naturalWidth) image.classList.add("broken");

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const words = [...button.children];
      let said = ["Copied", "已复制"];
      try { await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent); }
      catch { said = ["Select and copy by hand", "请手动选择并复制"]; getSelection().selectAllChildren(document.getElementById(button.dataset.copies)); }
      words.forEach((word, at) => { word.textContent = said[at]; });
      setTimeout(() => words.forEach((word, at) => { word.textContent = ["Copy", "复制"][at]; }), 2000);
    });
  }

  translate();
})();
