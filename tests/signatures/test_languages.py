"""The default profile's rules for the functions of each language."""

import doctest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signatures import declarations, languages
from signatures.frames import normalize_frame

GIT = "git:github.com/acme/atlas:{}:77d0c1"


def text_of(function, file=None):
    return normalize_frame({"function": function, "file": file, "line": 7})


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("atlas::Tile::Size() const &&", "atlas::Tile::Size"),
        ("atlas::Tile::Size() const volatile noexcept", "atlas::Tile::Size"),
        ("atlas::Tile::Take() const&&", "atlas::Tile::Take"),
        ("layout::needs_const", "layout::needs_const"),
        ("const", "const"),
        ("const [clone .cold]", "const"),
        ("atlas::Tile::operator&&", "atlas::Tile::operator&&"),
        ("bool atlas::Tile::operator==(atlas::Tile const&) const", "atlas::Tile::operator=="),
        ("atlas::Tile::operator<(atlas::Tile const&) const", "atlas::Tile::operator<"),
        ("atlas::operator<< <char>(atlas::Out&)", "atlas::operator<< <T>"),
        ("atlas::Ptr<atlas::Tile>::operator->() const", "atlas::Ptr<T>::operator->"),
        ("atlas::Fn<int>::operator()(int)", "atlas::Fn<T>::operator()"),
        ("atlas::Tile::operator char const*() const", "atlas::Tile::operator char const*"),
        ("atlas::Tile::operator bool() const", "atlas::Tile::operator bool"),
        ("operator new(unsigned long)", "operator new"),
        ("void * operator new[](unsigned __int64)", "operator new[]"),
        ("operators::Find(int)", "operators::Find"),
        ("my_operator<int>(int)", "my_operator<T>"),
        ("int atlas::Sum(T) [with T = int]", "atlas::Sum"),
        ("auto atlas::Apply(int) -> decltype(atlas::f(0))", "atlas::Apply"),
        ("void atlas::Apply<int>(int) requires atlas::Small<int>", "atlas::Apply<T>"),
        ("atlas::If<(3 > 2), int>::Run(int)", "atlas::If<T>::Run"),
        ("atlas::Decode(int) [clone .constprop.2] [clone .cold.8]", "atlas::Decode"),
        ("atlas::Boot()::$_1::$_2", "atlas::Boot::$::$"),
        ("atlas::`anonymous-namespace'::Walk(int)", "atlas::(anonymous namespace)::Walk"),
        ("void (anonymous namespace)::LoadTable(int)", "(anonymous namespace)::LoadTable"),
        ("IPC::ParamTraits<nsTArray<atlas::Tile> >::Read(int)", "IPC::ParamTraits<nsTArray<T> >::Read"),
        ("atlas::(anonymous namespace)", "atlas::(anonymous namespace)"),
        ("<unknown in atlas_driver.dll>", "<unknown in atlas_driver.dll>"),
        ("atlas::Name[abi:cxx11](int) const", "atlas::Name[abi:cxx11]"),
        ("atlas_parse_line (char const*, int)", "atlas_parse_line"),
        ("f(g", "f"),
        ("((", "(("),
        ("tail  ", "tail"),
    ],
)
def test_cpp(function, text):
    assert text_of(function, "/b/atlas.cpp") == text


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("atlas::tiles::load::h3f9a00c1d2e4b576", "atlas::tiles::load"),
        ("atlas::tiles::load::h3f9a00c1d2e4b576.llvm.1234", "atlas::tiles::load"),
        ("atlas::tiles::load::h3f9a00c1d2e4b576 [clone .cold.2]", "atlas::tiles::load"),
        ("atlas::tiles::hface", "atlas::tiles::hface"),
        ("core[8a1b]::option::Option<u8>::expect", "core::option::Option<T>::expect"),
        ("<atlas::tiles::Tile<u8>>::load", "<atlas::tiles::Tile<T>>::load"),
        ("<(u8, u16) as atlas::Pair>::left", "<(u8, u16) as atlas::Pair>::left"),
        (
            "<dyn core::ops::Fn(u8) -> u32 as atlas::Call>::call",
            "<dyn core::ops::Fn(u8) -> u32 as atlas::Call>::call",
        ),
        ("static void atlas::tiles::load(*const u8, usize)", "atlas::tiles::load"),
        ("core::slice::<impl [u8]>::sort_by", "core::slice::<T>::sort_by"),
        ("atlas::boot::{{closure}}", "atlas::boot::{{closure}}"),
        ("<atlas::Tile<u8>>load", "<T>load"),
    ],
)
def test_rust(function, text):
    assert text_of(function, GIT.format("src/tiles/mod.rs")) == text


def test_rust_is_recognised_by_its_hash_and_by_a_relative_path():
    assert text_of("atlas::load::h3f9a00c1d2e4b576") == "atlas::load"
    assert text_of("<atlas::Tile>::load", "src/tiles.rs") == "<atlas::Tile>::load"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("Atlas.Loader.fetch() throws -> Swift.Int", "Atlas.Loader.fetch"),
        ("static Atlas.Loader.make(from: Swift.String) async throws -> Atlas.Loader", "Atlas.Loader.make"),
        (
            "closure #1 () -> () in closure #2 (Swift.Int) -> () in Atlas.Loader.fetch() -> ()",
            "closure in Atlas.Loader.fetch",
        ),
        ("-> Swift.Int -> ()", "-> Swift.Int -> ()"),
        ("Atlas.Loader.map((Swift.Int) throws -> ()) rethrows -> ()", "Atlas.Loader.map"),
        ("Atlas.View.body.getter : some", "Atlas.View.body.getter"),
        ("Atlas.Grid.subscript.setter : (Swift.Int) -> Atlas.Tile", "Atlas.Grid.subscript.setter"),
        ("static Atlas.Tile.== infix(Atlas.Tile, Atlas.Tile) -> Swift.Bool", "Atlas.Tile.=="),
        ("Atlas.Loader.(fetch in _0BADF00D)(from: Swift.String) -> ()", "Atlas.Loader.fetch"),
        ("(extension in Atlas):Swift.Array.last() -> Swift.Int", "Swift.Array.last"),
        (
            "partial apply forwarder for closure #1 () -> () in Atlas.Loader.fetch() -> ()",
            "closure in Atlas.Loader.fetch",
        ),
        (
            "protocol witness for Atlas.Base.go() -> () in conformance Atlas.Tile : Atlas.Base",
            "Atlas.Base.go",
        ),
    ],
)
def test_swift(function, text):
    assert text_of(function) == text


def test_objective_c_keeps_class_and_selector():
    assert text_of("+[ACMCache(Private) setObject:forKey:]") == "+[ACMCache setObject:forKey:]"


def test_go_keeps_receivers():
    assert text_of("main.(*Server[go.shape.int]).Serve.func1") == "main.(*Server[T]).Serve.func1"


def test_examples_in_the_documentation_are_right():
    assert doctest.testmod(languages).failed == 0
    assert doctest.testmod(declarations).failed == 0


WORDS = st.sampled_from(["int", "a::b", "static", "x", "~y", "u8", "char*", "a.b"])
ARGUMENTS = st.recursive(
    WORDS | st.just(""),
    lambda inner: st.tuples(WORDS, st.lists(inner, max_size=2), st.sampled_from(["<>", "()"])).map(
        lambda parts: f"{parts[0]}{parts[2][0]}{', '.join(parts[1])}{parts[2][1]}"
    ),
    max_leaves=6,
)


@given(st.lists(ARGUMENTS, max_size=2), WORDS, st.lists(ARGUMENTS, max_size=3), st.none() | ARGUMENTS)
@example([], "f", [], "anonymous namespace")
def test_short_cut_gives_what_the_long_way_gives(prefixes, name, arguments, parameters):
    words = [*prefixes, name + "".join(f"<{argument}>::c" for argument in arguments)]
    declaration = " ".join(words) + ("" if parameters is None else f"({parameters})")
    # An ABI tag is not plain, and stays behind whatever the long way makes of the rest.
    for clean in (languages.clean_cpp, languages.clean_rust):
        assert clean(declaration) + "[abi:x]" == clean(declaration + "[abi:x]")
