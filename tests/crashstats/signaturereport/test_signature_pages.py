import json
import re

import pytest

from tests.crashstats.crashes import fill

pytestmark = pytest.mark.django_db


def see(client, path, status=200, **parameters) -> str:
    response = client.get(path, parameters)
    assert response.status_code == status
    return response.text.replace("<wbr>", "")


def listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="signature"><a[^>]*>([^<]*)</a>', page)


def test_signatures_are_listed_by_count(client, search):
    fill(search, {"signature": "rare"}, {"signature": "often"}, {"signature": "often"})
    page = see(client, "/signatures/")
    assert listed(page) == ["often", "rare"]
    assert "<strong>2 signatures</strong> with <strong>3 crashes</strong>" in page


def test_a_list_shows_the_days_on_which_a_signature_came(client, search):
    fill(search, {"signature": "s"}, days_ago=3)
    fill(search, {"signature": "s"})
    dates = re.findall(r'class="date">(\d{4}-\d\d-\d\d)<', see(client, "/signatures/"))
    assert len(dates) == 2
    assert dates[0] < dates[1]


def test_signatures_are_found_by_a_part_of_them(client, search):
    fill(search, {"signature": "ns::Alpha"}, {"signature": "ns::Beta"}, {"signature": "a*b"})
    assert listed(see(client, "/signatures/", query="Alpha")) == ["ns::Alpha"]
    assert listed(see(client, "/signatures/", query="a*b")) == ["a*b"]
    assert listed(see(client, "/signatures/", query="n*a")) == []


def test_signatures_are_narrowed_to_product_and_version(client, search):
    fill(
        search,
        {"signature": "one", "version": "1.0"},
        {"signature": "two", "version": "2.0"},
        {"signature": "three", "product": "Larkspur"},
    )
    assert listed(see(client, "/signatures/", product="WaterWolf", version="1.0")) == ["one"]
    assert listed(see(client, "/signatures/", product="Larkspur")) == ["three"]


def test_what_is_chosen_can_be_changed_to_what_else_there_is(client, search):
    fill(search, {"version": "1.0"}, {"version": "2.0"}, {"product": "Larkspur", "version": "7.0"})
    page = see(client, "/signatures/", product="WaterWolf", version="1.0", query="nothing like it")
    options = re.findall(r"<option(?: selected)?>([^<]*)</option>", page)
    assert {"WaterWolf", "Larkspur", "1.0", "2.0"} <= set(options)
    assert "7.0" not in options
    assert "<option selected>1.0</option>" in page


def test_no_match_says_so_and_offers_the_way_back(client, search):
    page = see(client, "/signatures/", query="nothing like it")
    assert "No signature matches in the last 7 days" in page


def test_a_long_list_has_pages_that_keep_the_choices(client, search):
    fill(search, *({"signature": f"sig {number:03d}"} for number in range(60)))
    first = see(client, "/signatures/", query="sig")
    assert "1 to 50 of 60 signatures" in first
    assert 'href="/signatures/?query=sig&amp;page=2"' in first
    second = see(client, "/signatures/", query="sig", page="2")
    assert "51 to 60 of 60 signatures" in second
    assert len(listed(second)) == 10


@pytest.mark.parametrize("page", ["-1", "0", "x", "9" * 5_000, "²"])
def test_nonsense_pages_are_the_first_or_the_last(client, search, page):
    see(client, "/signatures/", page=page)
    see(client, "/signature/", signature="s", page=page)


def test_a_signature_shows_its_reports_and_where_it_crashes(client, search):
    ids = fill(
        search,
        {"signature": "ns::f", "version": "1.0"},
        {"signature": "ns::f", "version": "2.0"},
        {"signature": "ns::f | g"},
    )
    page = see(client, "/signature/", signature="ns::f")
    assert "<strong>2 crashes</strong>" in page
    assert f"/report/index/{ids[0]}" in page
    assert ids[2] not in page
    assert 'href="/signature/?signature=ns%3A%3Af&amp;version=1.0"' in page


def test_a_signature_narrowed_to_a_version_shows_only_that(client, search):
    ids = fill(search, {"signature": "s", "version": "1.0"}, {"signature": "s", "version": "2.0"})
    page = see(client, "/signature/", signature="s", version="2.0")
    assert ids[0] not in page
    assert ids[1] in page
    assert "Show all products and versions" in page


def test_reports_of_a_signature_have_pages(client, search):
    fill(search, *({"signature": "s"} for _ in range(60)))
    assert "51 to 60 of 60 reports" in see(client, "/signature/", signature="s", page="2")


def test_a_page_of_a_signature_names_the_same_as_json(client, search):
    fill(search, {"signature": "a <b> | c"}, {"signature": "other"})
    page = see(client, "/signature/", signature="a <b> | c")
    link = re.search(r'href="(/api/SuperSearch/[^"]*)"', page)[1].replace("&amp;", "&")
    assert json.loads(client.get(link).content)["total"] == 1


def test_an_unknown_signature_has_an_empty_page(client, search):
    assert "No reports with this signature" in see(client, "/signature/", signature="nope")


@pytest.mark.parametrize("query", ["", "?signature=", "?signature=a&signature=b", "?signature=a%00b"])
def test_exactly_one_signature_has_to_be_named(client, search, query):
    response = client.get(f"/signature/{query}")
    assert response.status_code == 400
    assert "No signature to show" in response.text


def test_markup_in_signatures_stays_text(client, search):
    evil = "<img src=x onerror=alert(1)>"
    fill(search, {"signature": evil, "version": evil, "product": evil, "reason": evil})
    for path, parameters in (
        ("/signatures/", {"query": "img", "product": evil}),
        ("/signature/", {"signature": evil, "version": evil}),
    ):
        assert "<img" not in see(client, path, **parameters)


def test_when_search_is_down_the_pages_say_so(client, broken_search):
    assert "Search does not answer" in see(client, "/signatures/")
    assert "Search does not answer" in see(client, "/signature/", signature="s")
