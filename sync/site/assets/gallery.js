// Search, filters and order, over rows in memory (catalogData, see sync/site/data.py). The page contains cards of matching rows only.
(() => {
  const SHOWN_TAGS = 2;
  const NEW_FOR = 14 * 86400_000; // as MARK_PERIOD in sync/site/cards.py
  const AT_A_TIME = 24; // about one screen; the next cards follow after the paint
  const AHEAD = 1000; // cards added without scrolling: most catalogs are shown completely, and 10,000 templates stay fast
  const { words, rows } = window.catalogData;
  const [ID, TITLE, TITLE_EN, COVER, PREVIEW, RATIO, TONE, TYPE, NEEDS, IMAGES, TAGS, PRICES, RATIOS, NEW, MOVED, PAGE] = Array(16).keys();
  const form = document.getElementById("filters");
  const grid = document.getElementById("grid");
  const count = document.getElementById("count");
  const clear = form.querySelector("[type=reset]");
  const skeleton = document.getElementById("card").content.firstElementChild;
  // As `fold` in sync/catalog/selection.py. Case folding is lower, upper, lower case (ẞ, ß, SS, ss), except of ı, which stays.
  const foldCase = (part) => part.toLowerCase().toUpperCase().toLowerCase();
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^ı]+/g, foldCase).replaceAll("ς", "σ");

  // Each facet: its values, and the values of each row.
  const tagValues = [...new Set(words.tags.map(([zh, en]) => en || zh))];
  const valueOfTag = words.tags.map(([zh, en]) => tagValues.indexOf(en || zh));
  const images = [...new Set(rows.map((row) => row[IMAGES]).filter((n) => n !== null))].sort((a, b) => a - b);
  const one = (at) => (at === null ? [] : [at]);
  const facets = {
    tag: { values: tagValues, of: (row) => [...new Set(row[TAGS].map((at) => valueOfTag[at]))] },
    type: { values: words.types.map(([value]) => value), of: (row) => one(row[TYPE]) },
    requirement: { values: words.needs.map(([value]) => value), of: (row) => one(row[NEEDS]) },
    images: { values: images.map(String), of: (row) => one(row[IMAGES] === null ? null : images.indexOf(row[IMAGES])) },
    resolution: { values: words.resolutions, of: (row) => row[PRICES].filter((_, at) => at % 2 === 0) },
    ratio: { values: words.ratios, of: (row) => row[RATIOS] },
  };
  const names = Object.keys(facets);
  for (const facet of Object.values(facets)) facet.has = rows.map(facet.of);
  const texts = rows.map((row) => fold([row[ID], row[TITLE], row[TITLE_EN], ...row[TAGS].flatMap((at) => words.tags[at])].join("\n")));
  const NO_PRICE = [-1, Infinity];
  const RESOLUTION = names.indexOf("resolution");
  const offers = rows.map((row) => row[PRICES].flatMap((credit, at, all) => (at % 2 ? [[all[at - 1], credit]] : [])).sort((a, b) => a[1] - b[1]));
  // The price at a resolution, or with -1 the lowest one, as [resolution, credit].
  const offer = (at, resolution) => (resolution < 0 ? offers[at][0] : offers[at].find(([one]) => one === resolution)) ?? NO_PRICE;
  const priceAt = (at, resolution) => offer(at, resolution)[1];

  // All rows in an order, computed once because the comparison of names by language is slow; filters select from it.
  const newest = [...rows.keys()];
  const orders = {};
  function inOrder(sort, resolution) {
    if (sort === "newest") return newest;
    const key = sort === "price" ? `price ${resolution}` : `name ${page.text("en", "zh-CN")}`;
    orders[key] ??= [...newest].sort(sort === "price" ? byPrice(resolution) : byName());
    return orders[key];
  }
  function byPrice(resolution) {
    const prices = Float64Array.from(newest, (at) => priceAt(at, resolution));
    return (a, b) => (prices[a] === prices[b] ? a - b : prices[a] - prices[b]); // both without a price: Infinity - Infinity is NaN
  }
  function byName() {
    const { compare } = new Intl.Collator(page.text("en", "zh-CN"), { numeric: true });
    const called = rows.map((row) => (page.chinese ? row[TITLE] || row[TITLE_EN] : row[TITLE_EN] || row[TITLE]) || "\uffff");
    return (a, b) => compare(called[a], called[b]);
  }

  // The state is in the URL, so that a view can be shared.
  function read() {
    const given = new URLSearchParams(location.hash.slice(1) || location.search);
    const state = { search: (given.get("search") ?? "").trim(), max_price: credits(given.get("max_price") ?? ""), sort: given.get("sort") ?? "newest" };
    for (const name of names) state[name] = spelled(name, given.get(name) ?? "");
    if (!["newest", "price", "name"].includes(state.sort)) state.sort = "newest";
    return state;
  }

  // A limit as its field can display it; another text, such as 0x64, would be a filter that is not visible.
  function credits(text) {
    const number = text.trim() === "" ? -1 : Number(text);
    return number >= 0 && number < Infinity ? String(number) : "";
  }

  // Tags match in either language; case is ignored, unless a value has exactly this case: values may differ in case only.
  function spelled(name, word) {
    const wanted = word.toLowerCase();
    if (facets[name].values.includes(word)) return word;
    if (name === "tag") {
      const at = words.tags.findIndex((tag) => tag.some((text) => text && text.toLowerCase() === wanted));
      return at < 0 ? word : tagValues[valueOfTag[at]];
    }
    return facets[name].values.find((value) => value.toLowerCase() === wanted) ?? word;
  }

  function written(state) {
    const pairs = Object.entries(state).filter(([name, value]) => value !== "" && !(name === "sort" && value === "newest"));
    return new URLSearchParams(pairs).toString();
  }

  function select(state) {
    const wanted = names.map((name) => (state[name] === "" ? null : facets[name].values.indexOf(state[name])));
    const resolution = state.resolution === "" ? -1 : wanted[RESOLUTION];
    const limit = state.max_price === "" ? Infinity : Number(state.max_price);
    const parts = fold(state.search).split(/\s+/).filter(Boolean);
    const counts = names.map((name) => new Uint32Array(facets[name].values.length));
    const affordable = [];
    const have = names.map((name, f) => (f === RESOLUTION && limit !== Infinity ? affordable : facets[name].has));
    const fits = new Uint8Array(rows.length);
    for (let at = 0; at < rows.length; at += 1) { // in the order of memory
      if (parts.some((part) => !texts[at].includes(part))) continue;
      if (limit !== Infinity) { // the limit applies to the price at the chosen resolution, so a resolution above it does not count
        affordable[at] = offers[at].filter(([, credit]) => credit <= limit).map(([one]) => one);
        if (affordable[at].length === 0) continue;
      }
      let misses = 0;
      let missed = -1;
      for (let f = 0; f < names.length; f += 1) {
        if (wanted[f] !== null && !have[f][at].includes(wanted[f])) { misses += 1; missed = f; }
      }
      // The count of a value is the number of results after choosing it: all filters apply except its own.
      if (misses === 0) fits[at] = 1;
      if (misses > 1) continue;
      for (let f = 0; f < names.length; f += 1) {
        if (misses > 0 && f !== missed) continue;
        const values = have[f][at];
        for (let v = 0; v < values.length; v += 1) counts[f][values[v]] += 1; // by index, because this runs 100,000 times
      }
    }
    return { found: inOrder(state.sort, resolution).filter((at) => fits[at]), counts };
  }

  function label(name, at) {
    const value = facets[name].values[at];
    if (name === "tag") return page.text(value, words.tags.find(([zh, en]) => (en || zh) === value)[0]);
    const [, en, zh] = { type: words.types, requirement: words.needs }[name]?.[at] ?? [value, value, value];
    return page.text(en, zh);
  }

  const numeric = new Intl.Collator("en", { numeric: true });
  function choices(state, counts) {
    names.forEach((name, f) => {
      const select = form.elements[name];
      const order = [...facets[name].values.keys()];
      if (name === "tag") order.sort((a, b) => counts[f][b] - counts[f][a] || a - b);
      else order.sort((a, b) => numeric.compare(facets[name].values[a], facets[name].values[b]));
      const options = [new Option(page.text("any", "全部"), "")];
      for (const at of order) {
        const value = facets[name].values[at];
        if (counts[f][at] || value === state[name]) options.push(new Option(`${label(name, at)} (${counts[f][at]})`, value));
      }
      if (state[name] && !facets[name].values.includes(state[name])) options.push(new Option(`${state[name]} (0)`, state[name]));
      select.replaceChildren(...options);
      select.value = state[name];
      select.classList.toggle("set", state[name] !== "");
    });
  }

  // The page may be read long after it was built.
  const isRecent = (since) => since !== null && Date.now() - Date.parse(since) < NEW_FOR;
  for (const mark of grid.querySelectorAll(".mark.new")) if (!isRecent(mark.dataset.since)) mark.remove();

  function address(packed) { return packed === null ? null : words.heads[packed[0]] + packed[1]; }

  function price(at) {
    const number = document.createElement("b");
    const [low, high] = [offers[at][0], offers[at].at(-1)].map((one) => one?.[1]);
    const [resolution, credit] = priced === null ? NO_PRICE : offer(at, priced);
    if (resolution >= 0) {
      number.textContent = credit;
      return [number, ` ${page.text("credits at", "积分 ·")} ${words.resolutions[resolution]}`];
    }
    number.textContent = low === high ? low : `${low} – ${high}`;
    return low === undefined ? [] : [number, ` ${page.text("credits", "积分")}`];
  }

  // In the reader's language only, which halves the layout work; another language creates new cards.
  function make(at, into) {
    const row = rows[at];
    const card = skeleton.cloneNode(true);
    const link = `templates/${row[PAGE] ?? `${row[ID]}.html`}`;
    const english = row[TITLE_EN] || row[TITLE] || row[ID];
    card.dataset.templateId = row[ID];
    card.classList.replace("r1", `r${row[RATIO]}`);
    for (const anchor of card.querySelectorAll("a")) anchor.setAttribute("href", link);
    const cover = card.querySelector(".cover");
    cover.classList.replace("tone0", `tone${row[TONE]}`);
    cover.querySelector(".glyph").textContent = [...page.text(row[TITLE_EN] || row[TITLE], row[TITLE] || row[TITLE_EN])][0] ?? "";
    const picture = cover.querySelector("img");
    if (row[COVER] === null) picture.remove(); else picture.src = address(row[COVER]);
    if (row[PREVIEW] === null) delete cover.dataset.preview; else cover.dataset.preview = address(row[PREVIEW]);
    const play = cover.querySelector(".play");
    play.hidden = row[PREVIEW] === null;
    play.ariaLabel = page.text(`Preview of ${english}`, `预览 ${row[TITLE] || english}`);
    const [isNew, moved] = cover.querySelectorAll(".mark");
    if (isRecent(row[NEW])) isNew.textContent = page.text("New", "新"); else isNew.remove();
    if (row[MOVED] === null) moved.remove();
    else {
      moved.textContent = `${row[MOVED] > 0 ? "+" : ""}${row[MOVED]} %`;
      moved.className = `mark ${row[MOVED] > 0 ? "up" : "down"}`;
    }
    const [en, zh] = card.querySelectorAll(".name");
    en.textContent = english;
    if (row[TITLE] && row[TITLE] !== english) zh.textContent = row[TITLE]; else zh.remove();
    card.querySelector(".price").replaceChildren(...price(at));
    card.querySelector(".tags").replaceChildren(...row[TAGS].slice(0, SHOWN_TAGS).map((tag) => {
      const chip = document.createElement("a");
      const [zh, en] = words.tags[tag];
      return Object.assign(chip, { textContent: page.text(en, zh), href: `#${new URLSearchParams({ tag: en })}`, tabIndex: -1 });
    }));
    into.append(card);
  }

  let priced = null; // the resolution whose price the cards show: a number as in `offer`; null: the range of all
  const pager = new Pager(grid, document.getElementById("more"), AT_A_TIME, make, AHEAD);
  let typing = 0;

  // The cards of the HTML page are the newest; without a filter they stay.
  function show(state, { shown = AT_A_TIME, served = false } = {}) {
    const { found, counts } = select(state);
    choices(state, counts);
    priced = state.resolution !== "" ? facets.resolution.values.indexOf(state.resolution) : state.sort === "price" || state.max_price !== "" ? -1 : null;
    const plain = written(state) === "";
    pager.show(found, shown, served && plain ? grid.childElementCount : 0);
    document.getElementById("none").hidden = found.length > 0 || rows.length === 0;
    clear.hidden = plain;
    const said = found.length === rows.length ? page.count(rows.length, "template", "个模板")
      : page.text(`${found.length} of ${page.count(rows.length, "template")}`, `${rows.length} 个模板中的 ${found.length} 个`);
    if (served) count.textContent = said;
    clearTimeout(typing);
    typing = setTimeout(() => { count.textContent = said; }, served ? 0 : 300); // so that a screen reader does not announce every letter
    document.dispatchEvent(new Event("filtered"));
  }

  function fill(state) {
    form.elements.search.value = state.search;
    form.elements.max_price.value = state.max_price;
    form.elements.sort.value = state.sort;
  }

  function chosen() {
    const state = { search: form.elements.search.value.trim(), max_price: credits(form.elements.max_price.value), sort: form.elements.sort.value };
    for (const name of names) state[name] = form.elements[name].value;
    return state;
  }

  function go(state, step) {
    const hash = written(state);
    const url = hash ? `#${hash}` : location.pathname; // a query string, if any, was applied already
    if (step) history.pushState(null, "", url); else history.replaceState(null, "", url);
    show(state);
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => go(chosen(), event.target.tagName === "SELECT"));
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    const state = { ...Object.fromEntries(names.map((name) => [name, ""])), search: "", max_price: "", sort: "newest" };
    fill(state);
    go(state, true);
    form.elements.search.focus();
  });
  // A tag of a card is added to the other filters; without a script its link would lead nowhere.
  grid.addEventListener("click", (event) => {
    const chip = event.target.closest(".tags a");
    if (!chip) return;
    event.preventDefault();
    go({ ...chosen(), tag: spelled("tag", new URLSearchParams(chip.hash.slice(1)).get("tag")) }, true);
    scrollTo(0, 0);
  });
  addEventListener("popstate", () => { const state = read(); fill(state); show(state, { shown: history.state?.shown }); });
  document.addEventListener("languagechange", () => { const state = read(); fill(state); show(state, { shown: pager.shown }); });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    form.elements.search.focus();
  });
  // Restore the position when the reader returns from a template's page.
  addEventListener("pagehide", () => history.replaceState({ shown: pager.shown, scroll: scrollY }, ""));

  const soon = window.requestIdleCallback ?? ((work) => setTimeout(work, 500));
  const prepare = () => soon(() => inOrder("name")); // in idle time, so that the first use is as fast as later ones
  document.addEventListener("languagechange", prepare);
  prepare();

  const panel = form.querySelector(".choices");
  const wide = matchMedia("(min-width: 48rem)");
  const unfold = () => { panel.open = wide.matches; panel.classList.add("settled"); };
  wide.addEventListener("change", unfold);
  unfold();

  const first = read();
  const back = history.state;
  fill(first);
  show(first, { served: true, shown: back?.shown });
  if (back?.scroll) scrollTo(0, back.scroll);
})();
