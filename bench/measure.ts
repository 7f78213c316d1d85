import { fork } from 'node:child_process';
import { once } from 'node:events';
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
  readonly fastestProbeMs?: number;
}

export interface Timed {
  readonly pairs: readonly Pair[];
  /** During how many of them nobody else worked on the cores. */
  readonly calmPairs: number;
  readonly fastestProbeMs: number;
}

/** What one contest gave: its figures and pairs, or why it was not timed. */
export type Outcome = (Figures & Timed) | { readonly problems: readonly string[] };

/**
 * Measures a case in a process of its own, where no other case has left threads, memory or compiled code behind.
 *
 * @returns one outcome for each of the job's conditions
 */
export async function measure(job: Job): Promise<Outcome[]> {
  // The child's stdout goes to our stderr: ours belongs to the report.
  const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { stdio: ['ignore', 2, 2, 'ipc'] });
  const outcomes: Outcome[] = [];
  child.on('message', (outcome) => outcomes.push(outcome as Outcome));
  child.send(job);
  const [code, signal] = await once(child, 'close');
  const lost = { problems: [`the measuring process ended with ${signal ?? `exit code ${code}`} and no result`] };
  return job.conditions.map((_, i) => outcomes[i] ?? lost);
}
