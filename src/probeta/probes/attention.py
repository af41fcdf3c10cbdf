"""`probe=attention run=DIR`: does the weight explain the word? Interventions on a finished translator's attention."""

from __future__ import annotations

from probeta.errors import ConfigError, check_whole
from probeta.interventions.changes import find_sites
from probeta.interventions.survey import make_survey
from probeta.models.translator import TranslatorModule
from probeta.probes.probe import Findings, Probe, Subject
from probeta.probes.setting import device_and_dtype


class AttentionProbe(Probe):
    """Attention under intervention (`interventions`): what cut links and heads, forced weights and deleted source words
    do to a finished translator's words, and how well weights, gradients and others say it beforehand.

    Explanations are held to leave-one-word-out. `explained` is how much of what can be explained an explanation does:
    (A_random - A) / (A_random - A_left_out), with A the area under the curve of the word's probability as its most
    important source words are deleted one after another. Without gold links (data other than the grammar's) what needs
    them is left out.

    Args:
        run: directory of a finished run of a translator with attention.
        sentences: of the test set, from 1; heads are ranked on as many of validation.
        deletions: source words that are deleted at most, from 1.
        path_steps: of integrated gradients, from 2.

    Raises:
        ConfigError: a value outside these ranges, no `run`, or one without attention.
    """

    name = "attention"
    needs_model = True

    def __init__(
        self, run: str | None, sentences: int = 100, deletions: int = 3, path_steps: int = 16, device: str = "cpu"
    ) -> None:
        if run is None:
            raise ConfigError("probe=attention looks into a finished run: add run=DIR")
        self.run = str(run)
        self.sentences = check_whole("probe.sentences", sentences)
        self.deletions = check_whole("probe.deletions", deletions)
        self.path_steps = check_whole("probe.path_steps", path_steps, 2)
        self.device, _ = device_and_dtype(device, "float32")

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        model = subject.build(seed)
        if not isinstance(model, TranslatorModule) or not find_sites(model.net):
            raise ConfigError(f"run={self.run} is no translator with attention: its model is {type(model).__name__}")
        net = model.net.to(self.device).eval()
        survey = make_survey(net, model.spec, subject.data, self.sentences, self.deletions, self.path_steps, seed)
        report = [f"  {name.removeprefix('explain/'):<32}{value:.4g}" for name, value in survey.metrics.items()]
        title = f"Attention under intervention, {self.sentences} test sentences"
        return Findings(list(survey.rows()), survey.metrics, report=[title, "", *report])
