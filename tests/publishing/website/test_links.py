from datamix.publishing.website.links import read_links


def test_links_of_a_site_are_held_against_what_is_there(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "a b.csv").touch()
    (tmp_path / "index.html").write_text(
        '<p id="top"></p><p id="top"></p><a href="#top">1</a><a href="#gone">2</a>'
        '<a href="notebooks/fig2.html#fig-2a">3</a><a href="notebooks/fig2.html#fig-2b">4</a>'
        '<a href="a%20b.csv?v=1">5</a><a href="fig3.html">6</a><img src="data:image/png;base64,AA=="><a href="">7</a>'
        '<a href="https://doi.org/10.1101/1#x">8</a><script src="//elsewhere/x.js"></script>'
        '<a href="javascript:alert()">9</a>'
    )
    (tmp_path / "notebooks" / "fig2.html").write_text('<figure id="fig-2a"><a href="../index.html#top">up</a></figure>')
    links = read_links(tmp_path)
    assert links.broken == [
        "index.html: #gone",
        "index.html: notebooks/fig2.html#fig-2b",
        "index.html: fig3.html",
        "index.html: javascript:alert()",
    ]
    assert links.twice == ["index.html: top"]
    assert links.external == {"https://doi.org/10.1101/1#x": ["index.html"], "//elsewhere/x.js": ["index.html"]}
