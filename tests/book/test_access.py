"""The site for readers who do not see it, or not well, or use no mouse: axe-core on every page, and the keyboard."""

from importlib.resources import files

import pytest

from datamix.publishing.website.finish import pages_of

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

CHECK = """async (tags) => {
  // What is folded is read, too; and a shadow at the edge of a table hides from axe what its letters stand on.
  document.querySelectorAll("details").forEach(fold => fold.open = true);
  const found = await axe.run({ runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 160)}`));
}"""
FLAT = ".bd-article * { background-image: none !important; }"


@pytest.fixture(scope="module")
def axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page, axe: str) -> list[str]:
    page.add_style_tag(content=FLAT)
    page.evaluate(axe)
    return page.evaluate(CHECK, TAGS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_no_page_violates_wcag_2_1_aa(browser, address, site, axe, width, theme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    found = {}
    for path in pages_of(site):
        name = path.relative_to(site).as_posix()
        page.goto(address + name)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        found[name] = violations(page, axe)
    context.close()
    assert not {name: each for name, each in found.items() if each}


def test_axe_finds_what_is_wrong(browser, address, axe):
    """The check above is none that cannot fail: what it is to find is put on a page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + "abstract.html")
    wrong = '<img src="_static/icon.svg"><p style="color: #aaa; background: #fff">pale</p>'
    page.locator("article").evaluate("(article, wrong) => article.insertAdjacentHTML('beforeend', wrong)", wrong)
    found = violations(page, axe)
    context.close()
    assert {each.split(":")[0] for each in found} == {"image-alt", "color-contrast"}


@pytest.fixture
def reader(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    context.close()


def focused(page) -> dict:
    """Return what has the focus, and whether it can be seen that it has."""
    return page.evaluate("""() => {
      const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
      return { tag: at.tagName, text: at.textContent.trim(), href: at.getAttribute("href"), name: at.className,
               ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
               inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth };
    }""")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(reader, address):
    reader.goto(address + "notebooks/fig2.html")
    reader.keyboard.press("Tab")
    assert focused(reader)["text"] == "Skip to main content"
    reader.keyboard.press("Enter")
    seen = []
    for _ in range(120):
        reader.keyboard.press("Tab")
        at = focused(reader)
        if at["tag"] == "BODY":
            break
        assert at["ringed"], at
        assert at["inView"], at
        seen.append(at)
    # From the skip link on, nothing of the list of pages stands in the way.
    assert not any("fig3.html" in str(at["href"]) for at in seen[:5])
    for tag, part in (("A", "panel-image"), ("BUTTON", "sort"), ("SUMMARY", "")):
        assert any(at["tag"] == tag and part in at["name"] for at in seen), (tag, part)
    assert [at["text"] for at in seen].count("Cite this figure") == 3


def wait_until_told(reader, panel):
    """Wait for what a panel says: asked from here, as the page's own policy forbids `wait_for_function` its eval."""
    for _ in range(100):
        if reader.evaluate(f"told['{panel}']?.length ?? 0"):
            return
        reader.wait_for_timeout(100)
    raise AssertionError(f"panel {panel} says nothing after 10 s")


def test_a_map_tells_its_cells_to_pointer_and_keyboard(reader, address):
    reader.goto(address + "notebooks/fig2.html")
    figure = reader.locator("figure#fig-2a")
    says = figure.locator(".panel-reads")
    assert "Point at the picture" in says.inner_text()
    figure.locator("a.panel-image").focus()
    wait_until_told(reader, "2a")
    reader.keyboard.press("ArrowRight")
    first = says.inner_text()
    assert "R² 0." in first
    assert "published" in first
    reader.keyboard.press("ArrowRight")
    assert says.inner_text() != first
    reader.keyboard.press("ArrowLeft")
    assert says.inner_text() == first
    mark = figure.locator(".panel-mark").bounding_box()
    reader.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + 3 * mark["height"] / 2)
    below = says.inner_text()
    assert below != first
    # One cell further down is the same mixture on another set.
    assert below.split(" on ")[0] == first.split(" on ")[0]
    reader.keyboard.press("Escape")
    assert figure.locator(".panel-mark").is_hidden()


def test_a_point_of_a_layout_tells_its_cell_type(reader, address):
    reader.goto(address + "notebooks/fig3.html")
    figure = reader.locator("figure#fig-3a")
    figure.locator("img").scroll_into_view_if_needed()
    figure.locator("a.panel-image").hover()
    wait_until_told(reader, "3a")
    place, size = reader.evaluate("[told['3a'][0], document.querySelector('#fig-3a img').getBoundingClientRect()]")
    reader.mouse.move(size["left"] + place["x"] * size["width"], size["top"] + place["y"] * size["height"])
    words = reader.evaluate("told['3a'].map(place => place.words)")
    assert figure.locator(".panel-reads").inner_text() in words


def test_a_table_is_sorted_by_what_a_reader_names(reader, address):
    reader.goto(address + "notebooks/fig2.html")
    reader.locator("figure#fig-2a .panel-numbers summary").click()
    table = reader.locator("figure#fig-2a table")
    column = table.get_by_role("columnheader", name="Median R²")
    button = column.get_by_role("button", name="Sort by Median R²")
    for order in ("ascending", "descending"):
        button.press("Enter")
        assert column.get_attribute("aria-sort") == order
        shown = table.locator("td:nth-child(3)").all_inner_texts()
        numbers = [float(text.split()[0].replace("−", "-")) for text in shown]
        assert numbers == sorted(numbers, reverse=order == "descending")
    assert len(numbers) >= 50


def test_rows_that_go_on_from_the_row_above_stay(reader, address):
    reader.goto(address + "abstract.html")
    assert reader.locator("article table").count() >= 2
    assert reader.locator("article table .sort").count() == 0


def test_a_phone_scrolls_wide_figures_and_tables_in_their_frames_and_says_so(reader, address):
    reader.set_viewport_size({"width": 420, "height": 844})
    reader.goto(address + "notebooks/fig2.html")
    hint = "getComputedStyle(box, '::before').content"
    frame = reader.locator("figure#fig-2a .panel-image")
    assert frame.evaluate("box => box.scrollWidth > box.clientWidth")
    assert "scrolls" in reader.locator("figure#fig-2a").evaluate(f"box => {hint}")
    reader.goto(address + "notebooks/real_cells.html")
    boxes = reader.locator("article .scrolls")
    boxes.first.wait_for()
    for box in boxes.all():
        assert "scrolls" in box.evaluate(f"box => {hint}")
        assert box.get_attribute("tabindex") == "0"
        assert "scrolls" in box.get_attribute("aria-label")


def test_the_first_page_stands_in_one_screen(reader, address):
    """The question, what the cells say, what cannot be said, and the four doors."""
    reader.goto(address)
    doors = reader.locator(".doors .sd-card")
    assert doors.count() == 4
    assert all(door.bounding_box()["y"] + door.bounding_box()["height"] <= 900 for door in doors.all())
    said = reader.locator(".said dt").all_inner_texts()
    assert said[0] == "The question"
    assert said[-1] == "What cannot be said"


GROUNDS = """() => [...document.querySelectorAll("article table :is(td, th)")].map(cell => {
  const none = "rgba(0, 0, 0, 0)", ground = box => getComputedStyle(box).backgroundColor;
  let box = cell;
  while (box.parentElement && ground(box) === none) box = box.parentElement;
  return ground(box);
})"""
"""What the cells of tables stand on: the first ground behind each that can be seen."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tables_have_the_ground_of_the_page(browser, address, theme):
    """The theme puts what code writes on a light ground in the dark, on which the shadows at its ends are black."""
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    for name in ("notebooks/fig2", "notebooks/ledger", "notebooks/claims", "abstract", "methods"):
        page.goto(f"{address}{name}.html")
        of_page = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert set(page.evaluate(GROUNDS)) == {of_page}, name
    context.close()
