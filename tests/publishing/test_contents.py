"""The book's table of contents."""

from datamix.publishing.contents import list_notebooks


def test_notebooks_are_listed_in_the_books_order(tiny_book):
    (tiny_book / "book" / "_toc.yml").write_text(
        "root: index\nparts:\n- chapters:\n  - file: notebooks/b\n    sections:\n    - file: notebooks/c\n"
        "  - file: methods\n"
        "- chapters:\n  - file: notebooks/a\n",
    )
    assert list_notebooks(tiny_book) == ["b", "c", "a"]
