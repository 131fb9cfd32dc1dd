import pytest

from tests.crashstats.crashes import fill, new_crash_id

pytestmark = pytest.mark.django_db


def see(client, path, status=200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.text.replace("<wbr>", "")


def test_an_empty_system_says_how_to_get_crashes(client, search):
    page = see(client, "/")
    assert "No crash has arrived in the last 7 days" in page
    assert "manage.py submitcrash" in page


def test_home_shows_products_signatures_and_the_newest_crashes(client, search):
    newest = fill(search, {"product": "Larkspur", "signature": "lark::sing", "version": "2.0"})
    fill(search, {}, {}, days_ago=2)
    page = see(client, "/")
    assert "<strong>3 crashes</strong> with <strong>2 signatures</strong>" in page
    assert 'href="/home/product/WaterWolf"' in page
    assert "2 crashes in 8 days" in page
    assert "66.7 %" in page
    assert page.index(f"/report/index/{newest[0]}") < page.rindex("/report/index/")


def test_crashes_older_than_the_range_are_left_out_until_it_is_widened(client, search):
    fill(search, {}, days_ago=10)
    assert "<strong>0 crashes</strong>" in see(client, "/")
    assert "<strong>1 crash</strong>" in see(client, "/?days=14")
    assert "<strong>0 crashes</strong>" in see(client, "/?days=nonsense")


def test_a_product_has_a_home_of_its_own(client, search):
    fill(search, {"version": "145.0"}, {"product": "Larkspur", "signature": "lark::sing"})
    page = see(client, "/home/product/WaterWolf")
    assert "145.0" in page
    assert "lark::sing" not in page


def test_a_product_whose_crashes_are_old_still_has_a_home(client, search):
    fill(search, {}, days_ago=200)
    assert "No crashes in the last 7 days" in see(client, "/home/product/WaterWolf")


def test_an_unknown_product_is_not_found(client, search):
    assert "“Nope” has been seen" in see(client, "/home/product/Nope", status=404)


@pytest.mark.parametrize("product", ["", "..", "a\nb", "<b>x</b>", "\u202egnp", "x/y"])
def test_odd_product_names_neither_break_the_page_nor_become_markup(client, search, product):
    fill(search, {"product": product, "signature": product, "version": product})
    assert "<b>" not in see(client, "/")


def test_when_search_is_down_home_says_so_and_reports_can_still_be_opened(client, broken_search):
    page = see(client, "/")
    assert "Search does not answer at the moment" in page
    assert see(client, "/home/product/WaterWolf")


@pytest.mark.parametrize(
    "form", ["{}", "bp-{}", "  {} ", "https://crash.example/report/index/{}", "x/{}#tab"]
)
def test_quick_search_finds_the_crash_id_in_what_was_pasted(client, form):
    crash_id = new_crash_id()
    response = client.get("/search/quick/", {"query": form.format(crash_id)})
    assert response.headers["Location"] == f"/report/index/{crash_id}"


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("", "/signatures/"),
        ("ns::f<int> | g", "/signatures/?query=ns%3A%3Af%3Cint%3E%20%7C%20g"),
        ("0b1ec0de-7a11-4f00-8a5e-1c3f50261399", "/signatures/?query=0b1ec0de-7a11-4f00-8a5e-1c3f50261399"),
    ],
)
def test_quick_search_looks_for_signatures_otherwise(client, query, location):
    assert client.get("/search/quick/", {"query": query}).headers["Location"] == location
