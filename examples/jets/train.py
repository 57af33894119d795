"""Train one jet tagger, of any kind and size, and report on it.

    python examples/jets/train.py                               # PM-Transformer, 5k, the sample
    python examples/jets/train.py --tagger pfn --parameters 1k --epochs 20 --out runs/pfn
    python examples/jets/train.py --config examples/jets/configs/pm-transformer.toml --seed 1
    python examples/jets/train.py --data DIR --feature-set kinpid --amp --compile
    torchrun --nproc-per-node 4 examples/jets/train.py --data DIR --batch 512

The same command goes on where a run was stopped, killed or preempted, on a CPU to the same bits. In
--out: `last.pt`, where it goes on; `best.pt`, the weights that validate best; `history.csv` and
`.json`; after the last epoch `results.json`, `predictions.npz` (logits of the test jets, which are
looked at once) and `report.html`. --help lists all settings; a TOML file has the same names, see
`configs`.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the settings and run; say in one sentence what is wrong with them."""
    from training import distributed
    from training.loop import DivergenceError
    from training.run import StoppedError, run
    from training.settings import SettingsError, parse

    try:
        results = run(parse(arguments))
    except (SettingsError, ImportError) as error:
        stop(f"{error}.", 2)
    except DivergenceError as error:
        stop(f"{error}.", 1)
    except StoppedError as error:
        stop(f"stopped by {error}; the same command goes on.", error.status)
    else:
        if distributed.rank() == 0:
            test = results["test"]
            print(
                f"test: accuracy {test['accuracy']:.4f}, AUC {test.get('auc', float('nan')):.4f},"
                f" {results['parameters']} parameters, {results['cpu_seconds']:.0f} CPU-s"
            )
    finally:
        distributed.stop()


def stop(message: str, status: int) -> NoReturn:
    """Say in one sentence what is wrong, and end."""
    print(f"train.py: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
