/** One row of a suite: pure data, so that it can be sent to the process that measures it. */
export interface BenchCase {
  readonly name: string;
  readonly shape: Readonly<Record<string, number>>;
  readonly dtype: string;
  readonly pattern: string;
  /** The least ratio that was asked for; null where nothing was. */
  readonly goal: number | null;
  /** The ratio that a kernel could reach at most, by the work or the bytes that its pattern saves. */
  readonly limit: number | null;
}

export interface Conditions {
  readonly threads: number;
  /** Forces this instruction set on our side; left out, the plan chooses. */
  readonly isa?: string;
  /** Where weights shall come from memory, each side rotates over copies of more than this many bytes in total. */
  readonly coldBytes: number;
}

/** What the work of one call amounts to, and who does it. */
export interface Figures {
  readonly kernel: string;
  readonly peer: string;
  /** Arithmetic of one call, a multiply-add counted as two: what the kernel does, and what dense would do. */
  readonly flops: number;
  readonly denseFlops: number;
  /** Bytes that one call must read of the sparse operand as it is stored, and of the dense one. */
  readonly bytes: number;
  readonly denseBytes: number;
  /** Peak bytes beside what a call reads and returns, where they were measured: of what is made once (a map), and of the call. */
  readonly peak?: { readonly made: number; readonly making: number; readonly running: number };
}

/** A case made ready to run: two sides that compute the same outputs. */
export interface Contest extends Figures {
  /** The call that a user would write, and the same work by the peer in its best way. */
  runOurs(): Promise<unknown>;
  runPeer(): Promise<unknown>;
  /** Compares both sides with an oracle that shares no code with either; what is wrong, in words, or nothing. */
  verify(): Promise<string[]>;
}

/** The operands of a case, made once, for a contest under each of several conditions. */
export type Workload = (conditions: Conditions) => Promise<Contest>;

export interface Suite<Case extends BenchCase = BenchCase> {
  readonly name: string;
  readonly cases: readonly Case[];
  /** The keys of `--shape`, in the order in which messages name them. */
  readonly shapeKeys: readonly string[];
  readonly patternHint: string;
  isPattern(text: string): boolean;
  /** The case of a shape that the user gave. */
  caseOf(shape: Record<string, number>, pattern: string): Case;
  prepare(benchCase: Case): Workload;
  /** What the rows say together, in lines below the table. */
  summary?(rows: readonly Measured[]): string[];
}

/** A verified row of the report. */
export interface Measured {
  readonly pattern: string;
  readonly shape: Readonly<Record<string, number>>;
  readonly threads: number;
  readonly oursMs: number;
  readonly peerMs: number;
  readonly peak: Figures['peak'] | null;
}
