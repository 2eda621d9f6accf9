# SPDX-License-Identifier: Apache-2.0
"""build --check: what each rule says of one file, as the user sees it; what an ordinary build makes of the findings. The
cases that decide when a rule fires and when it is silent are unit tests (tests/unit/dockerfile/test_check.c)."""
import tarfile

import pytest

FIRING = {
    "StageNameCasing": ("FROM scratch AS One\n", "Stage name 'One' should be lowercase"),
    "FromAsCasing": ("FROM scratch as one\n", "'as' and 'FROM' keywords' casing do not match"),
    "NoEmptyContinuation": ("FROM busybox\nRUN a \\\n\n  b\n", "Empty continuation line"),
    "ConsistentInstructionCasing": ("FROM busybox\nrun a\nRUN b\n",
                                    "Command 'run' should match the case of the command majority (uppercase)"),
    "DuplicateStageName": ("FROM scratch AS a\nFROM scratch AS a\n", 'Duplicate stage name "a", stage names should be unique'),
    "ReservedStageName": ("FROM busybox AS context\n", 'Stage name should not use the same name as reserved stage "context"'),
    "JSONArgsRecommended": ("FROM busybox\nENTRYPOINT top\n", "JSON arguments recommended for ENTRYPOINT to prevent unintended behavior "
                                                             "related to OS signals"),
    "MaintainerDeprecated": ("FROM busybox\nMAINTAINER me\n", "Maintainer instruction is deprecated in favor of using label"),
    "UndefinedArgInFrom": ("ARG TAG=latest\nFROM busybox:${TAG}${TGA}\n", "FROM argument 'TGA' is not declared (did you mean TAG?)"),
    "WorkdirRelativePath": ("FROM busybox\nWORKDIR app\n", 'Relative workdir "app" can have unexpected results if the base image changes'),
    "UndefinedVar": ("FROM busybox\nENV P=$PAHT\n", "Usage of undefined variable '$PAHT' (did you mean $PATH?)"),
    "MultipleInstructionsDisallowed": ('FROM busybox\nCMD ["a"]\nCMD ["b"]\n', "Multiple CMD instructions should not be used in the same "
                                                                              "stage because only the last one will be used"),
    "LegacyKeyValueFormat": ("FROM busybox\nENV a b\n", '"ENV key=value" should be used instead of legacy "ENV key value" format'),
    "InvalidBaseImagePlatform": ("FROM foreign\n", 'Base image foreign was pulled with platform "linux/arm64", expected "linux/amd64" for '
                                                   "current build"),
    "RedundantTargetPlatform": ("FROM --platform=$TARGETPLATFORM busybox\n", "Setting platform to predefined $TARGETPLATFORM in FROM is "
                                                                            "redundant as this is the default behavior"),
    "SecretsUsedInArgOrEnv": ("FROM busybox\nARG GITHUB_TOKEN\n",
                              'Do not use ARG or ENV instructions for sensitive data (ARG "GITHUB_TOKEN")'),
    "InvalidDefaultArgInFrom": ("ARG TAG\nFROM busybox:$TAG\n",
                                "Default value for ARG busybox:$TAG results in empty or invalid base image name"),
    "FromPlatformFlagConstDisallowed": ("FROM --platform=linux/amd64 busybox\n",
                                        'FROM --platform flag should not use constant value "linux/amd64"'),
    "CopyIgnoredFile": ("FROM busybox\nCOPY ./tmp/x /\n", 'Attempting to Copy file "tmp/x" that is excluded by .dockerignore'),
    "InvalidDefinitionDescription": ("# check=experimental=all\nFROM scratch\n# bar is it\nARG foo\n",
                                     "Comment for ARG should follow the format: `# foo <description>`"),
    "ExposeProtoCasing": ("FROM busybox\nEXPOSE 80/TcP\n", "Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"),
    "ExposeInvalidFormat": ("FROM busybox\nEXPOSE 80:80\n",
                            "EXPOSE instruction should not define an IP address or host-port mapping, found '80:80'"),
}


@pytest.fixture
def checked(tare, tmp_path):
    """Runs build --check over TEXT."""
    folder = tmp_path / "context"
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp/x").write_text("x")
    (folder / ".dockerignore").write_text("*/x\n")

    def check(text, *options):
        (folder / "Dockerfile").write_text(text)
        return tare("build", *(options or ("--check",)), "--build-arg", "TAG=latest", str(folder))

    return check


@pytest.mark.parametrize("rule", FIRING)
def test_rule(tare, checked, tmp_path, rule):
    text, message = FIRING[rule]
    if "foreign" in text:
        archive = tmp_path / "empty.tar"
        tarfile.open(archive, "w").close()
        tare.ok("import", "--platform", "linux/arm64", str(archive), "foreign")
    done = checked(text)
    page = "".join("-" + c.lower() if c.isupper() else c for c in rule.replace("JSON", "Json")).strip("-")
    link = "" if rule == "InvalidBaseImagePlatform" else " - https://docs.docker.com/go/dockerfile/rule/%s/" % page
    assert done.out.count("WARNING: ") == 1
    assert "\nWARNING: %s%s\n%s\nDockerfile:" % (rule, link, message) in done.out
    assert ">>>" in done.out
    assert done.out.endswith("\nCheck complete, 1 warning has been found!\n")
    assert done.rc == 1


def test_nothing_found(tare, checked):
    done = checked('FROM busybox AS base\nWORKDIR /app\nCOPY Dockerfile .\nCMD ["sh"]\n')
    assert (done.rc, done.out) == (0, "Check complete, no warnings found.\n")
    assert tare.ok("images", "-q", "--filter", "dangling=true") == ""


def test_options_of_the_file_and_of_the_command_line(checked):
    text = "FROM busybox AS One\nMAINTAINER me\n"
    assert checked("# check=skip=all\n" + text).rc == 0
    only = checked("# check=skip=StageNameCasing\n" + text).out
    assert "WARNING: MaintainerDeprecated" in only and "WARNING: StageNameCasing" not in only
    other = checked("# check=skip=all\n" + text, "--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=MaintainerDeprecated").out
    assert "WARNING: StageNameCasing" in other and "WARNING: MaintainerDeprecated" not in other
    bad = checked("# check=skip=all;x=1\n" + text)
    assert bad.rc == 1 and 'failed to parse check options: invalid check option "x"' in bad.err


def test_build_tells_and_goes_on(tare, checked):
    done = checked("FROM busybox AS One\nMAINTAINER me\n", "-t", "im")
    assert done.rc == 0 and "2 warnings found" in done.err
    assert " - StageNameCasing: Stage name 'One' should be lowercase (line 1)\n" in done.err
    assert tare.ok("images", "-q", "im")


def test_findings_that_are_errors(tare, checked):
    done = checked("# check=error=true\nFROM busybox AS One\nMAINTAINER me\n", "-t", "im")
    assert done.rc == 1
    assert "ERROR: failed to build: failed to solve: lint violation found for rules: StageNameCasing, MaintainerDeprecated\n" in done.err
    assert tare.ok("images", "-q", "im") == ""


def test_stages_that_nobody_builds(checked):
    """--check looks at all of them, a build at those that it needs."""
    text = 'FROM busybox AS idle\nCMD top\nFROM busybox\nCMD ["sh"]\n'
    assert "JSONArgsRecommended" in checked(text).out
    assert "JSONArgsRecommended" not in checked(text, "-t", "im").err
    assert "JSONArgsRecommended" in checked(text, "-t", "im", "--target", "idle").err


def test_base_image_with_a_shell(tare, checked, tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM busybox\nENV KNOWN=1\nSHELL ["/bin/sh", "-ec"]\n')
    tare.ok("build", "-t", "shelled", str(folder))
    assert checked("FROM shelled\nENV B=$KNOWN\nCMD top\n").rc == 0
