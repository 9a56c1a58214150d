"""What a job finds in its environment. `tests/cluster` tries a real Slurm."""

SEEN = """

# %%
import os

[os.environ.get(name) for name in ("OMP_NUM_THREADS", "JOB", "SLURM_DISABLE_STATUS")]
"""


def seen(project, run: str, **environment: str) -> str:
    project.environment.pop("OMP_NUM_THREADS", None)
    done = project.make("chapter", "CH=01", f"RUN={run}", **environment)
    assert done.returncode == 0, done.stdout
    return project.outputs("01_one").splitlines()[-1]


def test_job_has_its_chapter_as_name_and_uses_what_it_was_given(project):
    with open(project.root / "chapters/01_one.py", "a", encoding="utf-8") as file:
        file.write(SEEN)
    run = "env SLURM_CPUS_ON_NODE=3 JOB=$*"
    assert seen(project, run) == "['3', '01_one', '1']"
    project.edit("chapters/01_one.py", "import os", "import os  # again")
    run = "env SLURM_CPUS_ON_NODE=3"
    assert seen(project, run, OMP_NUM_THREADS="1") == "['1', None, '1']"
