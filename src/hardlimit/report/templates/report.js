// Draws the charts, and lets a legend single out one series. Everything else on the page works without it.
(() => {
  "use strict";
  const page = document.documentElement;
  const options = {
    actions: false,
    ast: true, // Vega's expressions are interpreted, so the page needs no eval.
    config: JSON.parse(document.getElementById("chart-theme").textContent),
    defaultStyle: false,
    mode: "vega-lite",
    renderer: "svg",
    tooltip: { disableDefaultStyle: true, id: "tooltip" },
  };

  async function draw(source) {
    const place = document.getElementById(source.dataset.for);
    try {
      const { view } = await window.vegaEmbed(place, JSON.parse(source.textContent), options);
      listen(place.closest("figure"), view);
    } catch (error) {
      place.textContent = "This chart could not be drawn. Its numbers are in the table below.";
      console.error(error);
    }
  }

  function listen(figure, view) {
    const keys = [...figure.querySelectorAll("button.key")];
    for (const key of keys) {
      key.addEventListener("click", () => {
        const alone = key.getAttribute("aria-pressed") !== "true";
        for (const other of keys) other.setAttribute("aria-pressed", String(alone && other === key));
        view.signal("chosen", alone ? Number(key.dataset.series) : -1).runAsync();
      });
    }
  }

  // A link into a folded claim opens it.
  function unfold() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  }

  function follow() {
    const links = new Map([...document.querySelectorAll(".contents li a")].map((a) => [a.hash.slice(1), a]));
    const seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (!isIntersecting) continue;
          for (const link of links.values()) link.removeAttribute("aria-current");
          links.get(target.id)?.setAttribute("aria-current", "true");
        }
      },
      { rootMargin: "-20% 0px -70% 0px" },
    );
    for (const section of document.querySelectorAll("main > section")) seen.observe(section);
  }

  async function start() {
    addEventListener("hashchange", unfold);
    follow();
    for (const source of document.querySelectorAll("script.spec")) {
      await draw(source);
      await new Promise((next) => setTimeout(next)); // keeps the page responsive between charts
    }
    page.dataset.charts = "drawn";
    unfold();
  }

  start();
})();
