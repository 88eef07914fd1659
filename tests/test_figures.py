"""Do a reader's own latencies and prices reach the simulated providers, or is what is wrong with them said?"""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.record.records import Asked
from argo_bench.pipeline.model import Request, Usage
from argo_bench.pipeline.world import content
from argo_bench.pipeline.world.figures import FIGURES, read_figures, use_figures
from argo_bench.report.finding import describe_latencies

PROVIDERS, MODELS = tuple(content.LATENCIES), tuple(content.MODELS)
OWN = """
[sonar]
median_ms = 900
p99_ms = 2500
input_price = 2.0
output_price = 4

[massive]
median_ms = 45
p99_ms = 45
"""


@pytest.fixture(autouse=True)
def usual_again():
    yield
    use_figures(None)


def written(folder, text, name="own.toml"):
    file = folder / name
    file.write_text(text)
    return file


def read(folder, text, name="own.toml"):
    return read_figures(written(folder, text, name), PROVIDERS, MODELS)


def test_own_figures_take_the_place_of_the_usual_ones_and_leave_the_others(tmp_path):
    usual = content.latency_s(1, 2, Request("alpha_vantage", "AAA", "rsi"))
    use_figures(read(tmp_path, OWN))
    assert content.find_latencies()["sonar"] == content.Latency(0.9, 2.5)
    assert content.latency_s(1, 2, Request("massive", "AAA", "bars")) == pytest.approx(0.045)
    assert content.latency_s(1, 2, Request("alpha_vantage", "AAA", "rsi")) == usual
    assert content.dollars("sonar", Usage(1_000_000, 1_000_000, 2_000_000)) == pytest.approx(6.005)
    assert content.find_prices()["sonar"].source == "the reader's own"
    use_figures(None)
    assert content.find_latencies() == content.LATENCIES
    assert content.find_prices() == content.PRICES


def test_toml_and_json_say_the_same(tmp_path):
    figures = read(tmp_path, OWN)
    assert read(tmp_path, json.dumps(figures), "own.json") == figures


def test_workers_take_them_too(tmp_path):
    use_figures(read(tmp_path, OWN))
    code = "from argo_bench.pipeline.world.content import find_latencies; print(find_latencies()['sonar'].median_s)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "0.9\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[grok]\nmedian_ms = 1\np99_ms = 2", "'grok' is no provider: expected one of massive"),
        ("[sonar]\nmedian_ms = -1\np99_ms = 2", "[sonar] has median_ms = -1: expected a number from 0"),
        ("[sonar]\nmedian_ms = 3\np99_ms = 2", "a median of 3 ms and a 99th percentile of 2 ms"),
        ("[sonar]\nmedian_ms = 0\np99_ms = 2", "expected a median above 0"),
        ("[sonar]\nmedian_ms = 3", "has median_ms alone: expected median_ms and p99_ms together"),
        ("[sonar]\nmedian_ms = nan\np99_ms = 2", "has median_ms = nan"),
        ("[sonar]\nmedian_ms = inf\np99_ms = inf", "has median_ms = inf"),
        ("[sonar]\nmedian_ms = true\np99_ms = 2", "has median_ms = True"),
        ("[sonar]\nmedian_ms = '3'\np99_ms = 2", "has median_ms = '3'"),
        ("[sonar]\nmean_ms = 3", "has 'mean_ms': expected some of median_ms, p99_ms, input_price, output_price"),
        ("[massive]\ninput_price = 3", "(only models have prices)"),
        ("sonar = 3", "[sonar] has no figures"),
        ("", "expected a table for a provider"),
        ("[sonar", "expected TOML, or JSON in a file that ends in .json"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, text, says):
    with pytest.raises(UserError) as raised:
        read(tmp_path, text)
    assert says in str(raised.value)
    assert "own.toml" in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.toml: expected a file with latencies"):
        read_figures(tmp_path / "none.toml", PROVIDERS, MODELS)


def test_run_takes_the_file_and_refuses_a_wrong_one(tmp_path):
    wrong = written(tmp_path, "[grok]\nmedian_ms = 1\np99_ms = 2")
    refused = CliRunner().invoke(cli, ["run", "O11", "--latencies", str(wrong)])
    assert refused.exit_code != 0
    assert "'grok' is no provider" in f"{refused.output}{refused.exception}"
    assert "--latencies FILE" in CliRunner().invoke(cli, ["run", "--help"]).output


def test_a_report_says_that_they_were_a_readers_own(tmp_path):
    asked = Asked([], None, "quick", None, 1, None, False, False, False, None, latencies=read(tmp_path, OWN))
    assert describe_latencies(asked) == [
        "own latencies and prices: sonar (median 900 ms, p99 2500 ms, $2 per million input tokens, $4 per "
        "million output tokens), massive (median 45 ms, p99 45 ms)"
    ]
    assert describe_latencies(None) == []


def test_a_job_puts_the_figures_of_its_run_into_force(tmp_path):
    from argo_bench.study.job import job_of

    asked = Asked(["O11"], None, "quick", None, 1, None, False, False, False, 60.0, latencies=read(tmp_path, OWN))
    job_of(asked)
    assert json.loads(os.environ[FIGURES])["sonar"]["median_ms"] == 900
    job_of(Asked(["O11"], None, "quick", None, 1, None, False, False, False, 60.0))
    assert FIGURES not in os.environ
