// Shows a long list in parts. Up to `ahead` items are added in idle time, so that the search of the browser finds them; then more are
// added when the end is near, or by the button.
class Pager {
  constructor(into, more, size, make, ahead = 0) {
    Object.assign(this, { into, more, size, make, ahead, items: [], shown: 0, waiting: 0 });
    this.watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) this.next(); }, { rootMargin: "1200px" });
    more.addEventListener("click", () => this.next());
  }

  // `already`: number of items in the HTML page.
  show(items, shown = this.size, already = 0) {
    Pager.forget(this.waiting);
    this.items = items;
    this.shown = already;
    if (!already) this.into.replaceChildren();
    while (this.shown < Math.min(shown, items.length)) this.append();
    this.settle();
  }

  next() {
    Pager.forget(this.waiting);
    this.append();
    this.settle();
  }

  append() {
    const piece = document.createDocumentFragment();
    const end = Math.min(this.shown + this.size, this.items.length);
    for (; this.shown < end; this.shown += 1) this.make(this.items[this.shown], piece, this.into);
    this.into.append(piece);
  }

  settle() {
    const rest = this.shown < this.items.length;
    this.more.hidden = !rest;
    // An observer reports changes only; if the end is still visible, it must be observed again.
    this.watch.unobserve(this.more);
    if (rest) this.watch.observe(this.more);
    if (rest && this.shown < this.ahead) this.waiting = Pager.soon(() => this.next());
  }

  static soon(work) { return window.requestIdleCallback ? requestIdleCallback(work, { timeout: 200 }) : setTimeout(work, 20); }

  static forget(number) { if (window.cancelIdleCallback) cancelIdleCallback(number); else clearTimeout(number); }
}
