"""The pages say what is there: links, functions, equation numbers, code that runs."""

import ast
import importlib
import io
import re
import tokenize
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from tests.machines.double import device_double

ROOT = Path(__file__).parents[2]
PACKAGE = Path(ir.__file__).parent  # not always below ROOT: CI installs it elsewhere
PAGES = [p for d in (".", "docs", "findings") for p in sorted((ROOT / d).glob("*.md"))]
MATHEMATICS = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
SOURCES = sorted(PACKAGE.rglob("*.py"))
LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")
EQUATION = re.compile(r"^ {4,}(\S.*?) {2,}\((\d+)\)$", re.MULTILINE)
# (5), or both ends of (5)–(7); not the issue number in "6(1):147".
CITATION = re.compile(r"(?<![\w′])\((\d{1,2})\)(?!:)")
SMALLER = {"meta_steps=20": "meta_steps=1", "num_tasks=200": "num_tasks=4"}
SMALLER |= {"glyph_alphabets()": "glyph_alphabets(num_alphabets=20)"}


def name_of(path):
    return path.name


def links(page):
    """Yield texts and targets, those outside the repository left out."""
    for text, target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield text, target


def located(page, target):
    """Return the path that a link leads to."""
    path = (page.parent / target).resolve()
    if path.is_relative_to(ROOT / "imaml_ref"):
        return PACKAGE / path.relative_to(ROOT / "imaml_ref")
    return path


def anchors(text):
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for _, target in links(page):
        path, _, anchor = target.partition("#")
        file = located(page, path) if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_functions_named_in_the_mathematics_exist():
    page, count = ROOT / "docs" / "mathematics.md", 0
    for text, target in links(page):
        if not target.endswith(".py"):
            continue
        path = located(page, target).relative_to(PACKAGE).with_suffix("")
        module = importlib.import_module(".".join(["imaml_ref", *path.parts]))
        found = reduce(getattr, text.strip("`").split("."), module)
        assert found.__module__ == module.__name__, f"{text} is defined elsewhere"
        count += 1
    assert count > 40


def test_equations_are_numbered_in_order():
    numbers = [int(number) for _, number in EQUATION.findall(MATHEMATICS)]
    assert numbers == list(range(1, 18))


def prose(source):
    """Return the docstrings and comments of a file, as one text."""
    tree = ast.parse(source)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documented = (node for node in ast.walk(tree) if isinstance(node, kinds))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [t.string for t in tokens if t.type == tokenize.COMMENT]
    return "\n".join([*(ast.get_docstring(n) or "" for n in documented), *comments])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_cited_equations_exist(path):
    """A number is defined in the file itself, or on the page."""
    text = prose(path.read_text(encoding="utf-8"))
    here = {n for _, n in EQUATION.findall(text)}
    page = {n for _, n in EQUATION.findall(MATHEMATICS)}
    assert set(CITATION.findall(text)) <= here | page


def test_the_check_of_citations_sees_one_that_is_wrong():
    source = '"""By (16); Neural Computation 6(1):147.\n\n    a    (3)\n\nb\n"""\n# (4)'
    assert CITATION.findall(prose(source)) == ["16", "3", "4"]
    assert EQUATION.findall(prose(source)) == [("a", "3")]


@pytest.mark.parametrize(
    ("module", "number"),
    [("meta_gradients.bound", "8"), ("meta_gradients.unrolled", "9")],
)
def test_what_the_code_restates_is_what_the_page_says(module, number):
    docstring = importlib.import_module(f"imaml_ref.{module}").__doc__
    (here,) = [line for line, n in EQUATION.findall(docstring) if n == number]
    (there,) = [line for line, n in EQUATION.findall(MATHEMATICS) if n == number]
    assert here in there


def smaller(block):
    """Return a block with less to compute."""
    for long, short in SMALLER.items():
        block = block.replace(long, short)
    return block


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_of
)
def test_code_on_the_page_runs(page, capsys):
    """Every block in turn, in one namespace; what takes long is made smaller."""
    blocks = re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M
    )
    assert len(blocks) >= 3
    namespace = {"__name__": page.stem}
    for block in blocks:
        exec(compile(smaller(block), page.name, "exec"), namespace)
    assert "nan" not in capsys.readouterr().out


def test_code_on_the_page_of_the_gpu_runs_on_the_double_of_one(capsys):
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
    assert len(blocks) == 2
    namespace: dict = {}
    with ir.plain_path(), device_double() as device:
        for block in blocks:
            block = block.replace("omniglot_cnn(5)", "omniglot_cnn(5, num_filters=3)")
            block = smaller(block)
            exec(compile(block, "gpu.md", "exec"), namespace)
        assert device.waits
        found = namespace["found"].grad.get()
    assert np.isfinite(found).all()
    assert "nan" not in capsys.readouterr().out


def test_code_on_the_page_of_weights_prints_what_it_says(capsys):
    page = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "weights.md", "exec"), namespace)
    said = re.findall(r"^print.*  # ([^:\n]*)", "".join(blocks), re.M)
    assert capsys.readouterr().out.splitlines() == said
    assert len(said) == 3


def test_one_version_everywhere():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version, date = re.findall(r"^## \[(\d[^]]*)\] - (\S+)$", changelog, re.M)[0]
    assert version == ir.__version__
    assert f"\nversion: {version}\n" in citation
    assert f"\ndate-released: {date}\n" in citation


# The page's own claims, on ridge regression, where H does not depend on φ.


@pytest.fixture(name="problem")
def make_problem():
    rng = np.random.default_rng(0)
    loss = ir.TaskLoss(ir.architectures.linear((3,), 2), ir.SquaredError())
    shapes = (4, 3), (4, 2), (7, 3), (7, 2)
    tasks = ir.TaskBatch(*(rng.normal(size=(1, *shape)) for shape in shapes))
    phi = loss.net.init(rng)[None]
    H = loss.linearize(phi, tasks.support_x, tasks.support_y).hessian_operator()
    return loss, phi[0], tasks, H @ np.eye(8)


@pytest.mark.parametrize("lam", [0.7, np.linspace(0.5, 1.5, 8)], ids=["scalar", "each"])
def test_section_5_unrolled_minus_implicit(problem, lam):
    """θ̄ − g = J^K v − Λ J^K A⁻¹ v, and for scalar λ J^K A⁻¹ H v, at any K."""
    loss, theta, tasks, H = problem
    Lam, options = lam * np.eye(8), {"lam": lam, "inner": ir.GradientDescent(0.1, 6)}
    A = H + Lam
    JK = np.linalg.matrix_power(np.eye(8) - 0.1 * A, 6)
    unrolled = ir.unrolled_gradient(loss, theta, tasks, **options, keep=["phi"])
    implicit = ir.implicit_gradient(loss, theta, tasks, **options, solver=ir.Dense())
    v = loss.linearize(unrolled.phi, tasks.query_x, tasks.query_y).grad[0]
    want = JK @ v - Lam @ JK @ np.linalg.solve(A, v)
    assert np.linalg.norm(want) > 0.05 * np.linalg.norm(implicit.grad)
    assert_allclose(unrolled.grad - implicit.grad, want, atol=1e-14)
    if np.ndim(lam) == 0:
        assert_allclose(want, JK @ np.linalg.solve(A, H @ v), atol=1e-14)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_section_6_iterates_are_those_on_the_papers_form(problem, steps):
    """CG on (H + λI) x = v, times λ, passes through the iterates on (I + H/λ) g = v."""
    loss, theta, tasks, H = problem
    out = ir.implicit_gradient(
        loss, theta, tasks, lam=0.7, solver=ir.CG(steps), keep=["phi"]
    )
    v = loss.linearize(out.phi, tasks.query_x, tasks.query_y).grad
    g, _ = ir.cg_batched(lambda p: p + p @ H / 0.7, v, rtol=0.0, maxiter=steps)
    assert_allclose(out.grad, g[0], rtol=1e-12)
