// The feed by day and run, filtered by kind and field, over rows in memory (changesData, see sync/site/data.py).
(() => {
  const AT_A_TIME = 100;
  const { fields, templates, heads, rows } = window.changesData;
  const [RUN, AT, TEMPLATE, KIND, FIELDS, BREAKING] = Array(6).keys();
  const KINDS = [["added", "Added", "新增"], ["changed", "Changed", "变更"], ["removed", "Removed", "移除"]];
  const form = document.getElementById("filters");
  const feed = document.getElementById("feed");
  const skeleton = document.getElementById("event").content.firstElementChild;
  const element = (name, text, kind) => Object.assign(document.createElement(name), { textContent: text }, kind && { className: kind });

  function say(en, zh) {
    const pair = [element("span", en, "say"), element("span", zh, "say")];
    pair[0].lang = "en";
    pair[1].lang = "zh-CN";
    return pair;
  }

  function make(row, piece, into) {
    const [day, time] = row[AT].split(" ");
    let section = piece.lastElementChild ?? into.lastElementChild;
    if (section?.dataset.day !== day) {
      section = element("section", "", "day");
      section.dataset.day = day;
      section.append(element("h2", day));
      piece.append(section);
    }
    if (section.dataset.run !== String(row[RUN])) {
      section.dataset.run = row[RUN];
      const head = element("h3", "");
      head.append(...say("Run", "运行"), ` ${row[RUN]} `, element("span", `${time} UTC`));
      section.append(head, element("ol", "", "events"));
    }
    section.lastElementChild.append(event(row));
  }

  function event(row) {
    const item = skeleton.cloneNode(true);
    const [kind, en, zh] = KINDS[row[KIND]];
    item.className = `event ${kind}`;
    item.querySelector(".kind").replaceChildren(...say(en, zh));
    const [id, title, titleEn, path, cover, tone] = templates[row[TEMPLATE]];
    const link = item.querySelector("a");
    const thumb = item.querySelector(".thumb");
    if (path === undefined) { link.replaceWith(id); thumb.remove(); } else {
      const [nameEn, nameZh] = link.children;
      nameEn.textContent = titleEn || title || id;
      if (title && title !== nameEn.textContent) nameZh.textContent = title; else nameZh.remove();
      link.setAttribute("href", path);
      thumb.className = `thumb tone${tone}`;
      thumb.querySelector(".glyph").replaceChildren(...say([...(titleEn || title)][0] ?? "", [...(title || titleEn)][0] ?? ""));
      const picture = thumb.querySelector("img");
      if (cover === null) picture.remove(); else picture.src = heads[cover[0]] + cover[1];
    }
    const breaking = item.querySelector(".breaking");
    if (row[BREAKING]) breaking.replaceChildren(...[...breaking.children].slice(0, 2), ": ", ...say(...row[BREAKING])); else breaking.remove();
    item.querySelector(".fields").replaceChildren(...row[FIELDS].map(([field, en, zh]) => {
      const line = element("span", "", "field");
      const name = element("span", "", "label");
      const text = element("bdi", zh === undefined ? en : "");
      name.append(...say(...fields[field].slice(1)));
      if (zh !== undefined) text.append(...say(en, zh));
      line.append(name, " ", text);
      return line;
    }));
    return item;
  }

  // The prices of all resolutions are one field here.
  const groupOf = fields.map(([field]) => field.replace(/^(consume_items|extra)\..*/, "$1"));
  const called = { consume_items: ["Price", "价格"], extra: ["Other fields", "其他字段"] };
  fields.forEach(([, en, zh], at) => { called[groupOf[at]] ??= [en, zh]; });
  const groups = [...new Set(groupOf)].sort();
  const pager = new Pager(feed, document.getElementById("more"), AT_A_TIME, make);

  function show(state) {
    const fits = (row, kind, field) => (!kind || KINDS[row[KIND]][0] === kind)
      && (!field || row[FIELDS].some(([at]) => groupOf[at] === field));
    const found = rows.filter((row) => fits(row, state.kind, state.field));
    const kinds = KINDS.map(([kind, en, zh]) => [kind, page.text(en, zh), rows.filter((row) => fits(row, kind, state.field)).length]);
    const ofFields = groups.map((group) => [group, page.text(...called[group]), rows.filter((row) => fits(row, state.kind, group)).length]);
    for (const [name, values] of [["kind", kinds], ["field", ofFields]]) {
      form.elements[name].replaceChildren(new Option(page.text("any", "全部"), ""),
        ...values.filter(([value, , n]) => n || value === state[name]).map(([value, text, n]) => new Option(`${text} (${n})`, value)));
      form.elements[name].value = state[name];
    }
    pager.show(found);
    document.getElementById("none").hidden = found.length > 0 || rows.length === 0;
    document.getElementById("count").textContent = page.count(found.length, "change", "项变更");
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1) || location.search);
    const known = (name, all) => (all.includes(given.get(name)) ? given.get(name) : "");
    return { kind: known("kind", KINDS.map(([kind]) => kind)), field: known("field", groups) };
  }

  form.addEventListener("submit", (event_) => event_.preventDefault());
  form.addEventListener("input", () => {
    const state = { kind: form.elements.kind.value, field: form.elements.field.value };
    const hash = new URLSearchParams(Object.entries(state).filter(([, value]) => value)).toString();
    history.pushState(null, "", hash ? `#${hash}` : location.pathname);
    show(state);
  });
  addEventListener("popstate", () => show(read()));
  document.addEventListener("languagechange", () => show(read()));
  show(read());
})();
