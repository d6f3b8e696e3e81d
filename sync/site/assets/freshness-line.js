// The line under the title, written as soon as its element exists, so that the layout does not shift; and `page`, used by all scripts.
const page = {
  get chinese() { return document.documentElement.lang === "zh-CN"; },
  text(en, zh) { return this.chinese ? zh : en; },
  count(n, en, zh) { return this.text(`${n} ${en}${n === 1 ? "" : "s"}`, `${n} ${zh}`); },
  keep(name, value) { try { localStorage.setItem(name, value); } catch { /* storage is disabled */ } },
};

(() => {
  function ago(seconds) {
    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const [unit, size] = units.find(([, size]) => seconds >= 2 * size) ?? units[3];
    return new Intl.RelativeTimeFormat(page.text("en", "zh-CN")).format(-Math.round(seconds / size), unit);
  }

  // The page computes its age, because the program that wrote it may no longer run.
  page.tellFreshness = () => {
    const known = window.freshness;
    const line = document.getElementById("freshness");
    if (!known) return;
    const seconds = known.last_success_at ? (Date.now() - Date.parse(known.last_success_at)) / 1000 : null;
    const old = seconds === null || seconds > known.stale_after_seconds || seconds < -60;
    const parts = [seconds === null ? page.text("Never synchronised", "从未同步")
      : page.text(`Synchronised and verified ${ago(Math.max(0, seconds))}`, `${ago(Math.max(0, seconds))}已同步并核对`)];
    if (old) parts.push(page.text("this page may be out of date", "此页可能已过时"));
    parts.push(page.count(known.present, "template", "个模板"));
    if (known.held) parts.push(`${page.count(known.held, "removal", "项移除")}${page.text(" held", "待确认")}`);
    if (known.rejected) parts.push(`${page.count(known.rejected, "record", "条记录")}${page.text(" rejected", "被拒绝")}`);
    line.textContent = parts.join(" · ");
    line.title = known.last_success_at ?? "";
    line.classList.toggle("old", old);
  };

  page.tellFreshness();
  setInterval(page.tellFreshness, 30_000);
})();
