import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchCase, Conditions, Figures } from './suite.js';
import type { Budget, Pair } from './timing.js';

export interface Job {
  readonly suite: string;
  readonly case: BenchCase;
  /** Each is measured in turn, with the same operands. */
  readonly conditions: readonly Conditions[];
  readonly budget: Budget;
  /** Of all processes so far, of which there may be none. */
  readonly fastestProbeMs?: number | undefined;
}

export interface Timed {
  readonly pairs: readonly Pair[];
  /** During how many of them nobody else worked on the cores; left out where nobody looked. */
  readonly calmPairs?: number;
  readonly fastestProbeMs?: number;
}

/** What one contest gave: its figures and pairs, or why it was not timed. */
export type Outcome = (Figures & Timed) | { readonly problems: readonly string[] };

/** Measures cases in processes of their own: what ends one, or is left behind in one, harms no report. */
export class Measurer {
  private child: ChildProcess | undefined;

  /** @param shared - one process for all cases: they start sooner, but meet the threads, memory and compiled code of those before */
  constructor(private readonly shared: boolean) {}

  /** @returns one outcome for each of the job's conditions */
  async measure(job: Job): Promise<Outcome[]> {
    // The child's stdout goes to our stderr: ours belongs to the report.
    this.child ??= fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { stdio: ['ignore', 2, 2, 'ipc'] });
    const { child } = this;
    const outcomes: Outcome[] = [];
    const ended = await new Promise<string | undefined>((resolve) => {
      child.on('message', (outcome) => {
        if (outcomes.push(outcome as Outcome) === job.conditions.length) resolve(undefined);
      });
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
      child.send(job);
    });
    child.removeAllListeners();
    if (ended !== undefined) this.child = undefined;
    else if (!this.shared) this.end();
    const lost = { problems: [`the measuring process ended with ${ended} and no result`] };
    return job.conditions.map((_, i) => outcomes[i] ?? lost);
  }

  end(): void {
    this.child?.disconnect();
    this.child = undefined;
  }
}
