import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.deflist import deflist_plugin

from datamix.project.errors import DatamixError
from datamix.publishing.website.docstrings import describe


def test_a_function_is_described_as_its_docstring_has_it():
    text = "\n".join(describe("datamix:open"))
    assert text.startswith("`datamix.open(source)`\n: Open a book's results")
    assert "  * `source`: A folder of results (`results/demo`), a record" in text
    assert "  * `DatamixError`: If there is nothing of the kind." in text


def test_a_class_is_described_with_all_that_it_offers():
    text = "\n".join(describe("datamix.publishing.reuse.book:Book"))
    for member in ("panel(name)", "value(key)", "scores()", "claims()", "model(mixture, *, seed=0, baseline=None)"):
        assert f"`.{member}`" in text
    assert "`.panels`" in text
    assert "`.profile`" in text
    assert "_layout" not in text
    html = MarkdownIt().use(deflist_plugin).render(text)
    assert html.count("<dt>") == html.count("<dd>") > 10
    assert "----" not in html


def test_what_is_not_there_is_said():
    with pytest.raises(DatamixError, match="no datamix:close to describe"):
        describe("datamix:close")
