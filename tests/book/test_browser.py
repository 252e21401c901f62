"""The site as a reader's browser sees it: pages, pictures, downloads, search, mathematics, and no other machine."""

from pathlib import Path

import pytest

from datamix.publishing.website.finish import pages_of

ABORTED = "net::ERR_ABORTED"

CUT_OFF = """() => {
  const style = box => getComputedStyle(box);
  const scrolls = box => ["auto", "scroll"].includes(style(box).overflowX);
  const reaches = (wide, box) => wide.right - box.right > 1 || box.left - wide.left > 1;
  const found = [];
  for (const wide of document.querySelectorAll(".bd-article :is(table, pre, img, math, td, th)")) {
    const size = wide.getBoundingClientRect();
    if (!size.width) continue;
    const name = `${wide.tagName} (${(wide.alt || wide.textContent).trim().slice(0, 40)})`;
    if (wide.matches("td, th") && wide.scrollWidth > wide.clientWidth + 1) found.push(`${name} spills over its cell`);
    for (let box = wide.parentElement; box; box = box.parentElement) {
      const beyond = reaches(size, box.getBoundingClientRect());
      if (scrolls(box)) {
        const sign = style(box).backgroundAttachment.includes("local");
        if (wide.matches("table") && beyond && !sign) found.push(`${name} scrolls without a sign of it`);
        break;
      }
      if (beyond && (style(box).overflowX !== "visible" || box.matches(".bd-article"))) {
        found.push(`${name} is cut off by ${box.tagName}.${box.className}`);
        break;
      }
    }
  }
  return found;
}"""
"""What is wider than its box, and can be neither scrolled to nor seen to go on."""


@pytest.fixture
def page(browser, address: str):
    """Return a page of a browser that has never seen the site, and fail for whatever it complains of."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    page = context.new_page()
    complaints = []
    page.on("console", lambda m: complaints.append(f"console: {m.text}") if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    # Leaving a page, or turning a request into a download, aborts what is under way; that is no failure.
    page.on("requestfailed", lambda r: None if r.failure == ABORTED else complaints.append(f"{r.failure}: {r.url}"))
    page.on("response", lambda r: complaints.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    outside = ("data:", "blob:", address)
    page.on("request", lambda r: None if r.url.startswith(outside) else complaints.append(f"leaves: {r.url}"))
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert not complaints


def pages(site: Path) -> list[str]:
    return [path.relative_to(site).as_posix() for path in pages_of(site)]


def panel_2a(page):
    return page.locator("figure#fig-2a")


def test_a_reader_walks_from_the_index_to_figure_2(page, address):
    page.goto(address)
    page.locator(".bd-sidebar-primary").get_by_role("link", name="Figure 2").first.click()
    assert page.url.endswith("notebooks/fig2.html")
    image = panel_2a(page).locator("img")
    image.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert image.evaluate("picture => picture.complete && picture.naturalWidth") > 0
    assert len(image.get_attribute("alt")) > 20


@pytest.mark.parametrize(
    ("title", "panel", "word"),
    [
        ("Figure 3", "3c", "seed-to-seed"),
        ("Figure 4", "4b", "precision–recall"),
        ("Figure 5", "5a", "Verdict"),
        ("Figure 6", "6a", "real cells"),
        ("Figure S7", "S7d", "Geneformer"),
    ],
)
def test_the_later_figures_are_reached_shown_and_explained(page, address, title, panel, word):
    page.goto(address)
    page.locator(".bd-sidebar-primary").get_by_role("link", name=title).first.click()
    figure = page.locator(f"figure#fig-{panel.lower()}")
    picture = figure.locator("img")
    picture.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert picture.evaluate("picture => picture.complete && picture.naturalWidth") > 0
    assert f"Figure {panel}." in figure.inner_text()
    assert "Redraw: make " in figure.inner_text()
    assert word in page.locator("article").inner_text()
    # A number that was not found would stand there as the role's source.
    assert "{val}" not in page.locator("article").inner_text()
    with page.expect_download() as waiting:
        figure.get_by_role("link", name="source data (CSV)").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()) > 1


def test_the_ledger_lists_every_published_number(page, address):
    page.goto(address + "notebooks/ledger.html")
    text = page.locator("article").inner_text()
    assert text.count("(0.") + text.count("(0)") >= 50
    assert "101,879" in text


@pytest.mark.parametrize("width", [1400, 420])
def test_every_page_is_whole(page, address, site, width):
    """No complaint (see `page`), every picture there and described, nothing cut off, on a phone and on a desktop."""
    page.set_viewport_size({"width": width, "height": 844})
    for name in pages(site):
        page.goto(address + name)
        pictures = page.locator("article img").evaluate_all("all => all.map(i => [i.src, i.alt, i.naturalWidth])")
        for source, alt, pixels in pictures:
            assert alt, source
            assert pixels > 0, source
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert not page.evaluate(CUT_OFF), name


def test_what_is_cut_off_is_noticed(page, address):
    """The measure above finds a table that hides its right end, one that scrolls unmarked, and a word over its cell."""
    page.set_viewport_size({"width": 420, "height": 844})
    page.goto(address + "notebooks/claims.html")
    cell = "<td><div style='width: 60rem'>wide</div></td>"
    narrow = "table-layout: fixed; width: 5rem"
    for box, table, said in (
        ("overflow-x: hidden", "", "is cut off by"),
        ("overflow-x: auto", "", "scrolls without a sign"),
        ("overflow-x: visible", "", "is cut off by ARTICLE"),
        ("overflow-x: visible", narrow, "spills over its cell"),
    ):
        page.locator(".bd-article").evaluate(
            "(article, html) => article.insertAdjacentHTML('beforeend', html)",
            f"<section style='{box}' class='added'><table style='{table}'><tr>{cell}</tr></table></section>",
        )
        assert any(said in each for each in page.evaluate(CUT_OFF)), box
        page.locator(".added").evaluate("added => added.remove()")
    assert not page.evaluate(CUT_OFF)


def test_the_source_data_can_be_downloaded(page, address, site):
    page.goto(address + "notebooks/fig2.html")
    with page.expect_download() as waiting:
        panel_2a(page).get_by_role("link", name="source data (CSV)").click()
    panels = site.parent / "panels" if (site.parent / "panels").is_dir() else site / "panels"
    assert Path(waiting.value.path()).read_bytes() == (panels / "fig2a.csv").read_bytes()


def test_the_search_finds_a_page(page, address):
    page.goto(address)
    page.keyboard.press("Control+k")
    page.keyboard.type("reconstruction")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=reconstruction*")
    results = page.locator("#search-results ul.search li a")
    results.first.wait_for()
    results.first.click()
    assert "search.html" not in page.url
    assert "reconstruction" in page.locator("article").inner_text().lower()


def test_mathematics_is_visible(page, address):
    page.goto(address + "methods.html")
    boxes = page.locator("article math").evaluate_all("all => all.map(m => m.getBoundingClientRect().width)")
    assert len(boxes) > 5
    assert min(boxes) > 3
    # A browser that does not set MathML would put the parts of a fraction side by side.
    fraction = page.locator("article mfrac").first
    top, bottom = fraction.evaluate("f => [...f.children].map(c => c.getBoundingClientRect().top)")
    assert bottom > top


def test_the_banner_names_the_profile(page, address):
    page.goto(address)
    assert "profile" in page.locator(".bd-header-announcement").inner_text()


def test_the_site_can_be_read_from_the_folder(browser, site):
    """Opened as a file, without a server, pages and figures are there as well."""
    context = browser.new_context()
    page = context.new_page()
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
    page.goto((site / "notebooks" / "fig2.html").resolve().as_uri())
    assert panel_2a(page).locator("img").evaluate("picture => picture.naturalWidth") > 0
    with page.expect_event("requestfinished", lambda request: request.url.endswith("/places/fig2a.js")):
        panel_2a(page).locator("a.panel-image").hover()
    panel_2a(page).locator("a.panel-image").click()
    page.wait_for_url("**/panels/fig2a.svg")
    # The letters of the figure are letters, not drawn shapes.
    assert page.locator("text").count() > 0
    context.close()
    assert not failed
