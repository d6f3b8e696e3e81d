// Plays the preview of a card after hovering, or by its button. At most one video exists, and none is requested before.
(() => {
  const WAIT = 150; // milliseconds, so that a passing pointer requests nothing
  const grid = document.getElementById("grid");
  const quiet = () => matchMedia("(prefers-reduced-motion: reduce)").matches || navigator.connection?.saveData;
  let playing = null;
  let timer = 0;

  function stop() {
    clearTimeout(timer);
    if (!playing) return;
    const { video, cover } = playing;
    playing = null;
    video.pause();
    video.removeAttribute("src");
    video.load(); // cancels the download
    video.remove();
    cover.querySelector(".play").setAttribute("aria-pressed", "false");
    cover.classList.remove("playing");
  }

  function play(cover) {
    if (playing?.cover === cover) return;
    stop();
    const video = document.createElement("video");
    Object.assign(video, { muted: true, loop: true, playsInline: true, preload: "auto", src: cover.dataset.preview });
    video.setAttribute("aria-hidden", "true");
    video.addEventListener("playing", () => cover.classList.add("playing"));
    video.addEventListener("error", () => { if (playing?.video === video) stop(); });
    playing = { video, cover };
    cover.querySelector("a").append(video);
    cover.querySelector(".play").setAttribute("aria-pressed", "true");
    video.play().catch(() => { /* cancelled meanwhile */ });
  }

  grid.addEventListener("pointerover", (event) => {
    const cover = event.target.closest(".cover[data-preview]");
    if (event.pointerType !== "mouse" || !cover || quiet() || playing?.cover === cover) return;
    clearTimeout(timer);
    timer = setTimeout(play, WAIT, cover);
  });
  grid.addEventListener("pointerout", (event) => {
    const cover = event.target.closest(".cover[data-preview]");
    if (event.pointerType === "mouse" && cover && !cover.contains(event.relatedTarget)) stop();
  });
  grid.addEventListener("click", (event) => {
    const button = event.target.closest(".play");
    if (!button) return;
    const cover = button.closest(".cover");
    if (button.getAttribute("aria-pressed") === "true") stop(); else play(cover);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") stop(); });
  addEventListener("pagehide", stop);
  document.addEventListener("filtered", stop);
})();
