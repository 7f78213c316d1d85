import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Roofline {
  readonly peakGflops: number;
  readonly bandwidthGBs: number;
}

/** What is read to be sure that it comes from memory: four times the last-level cache, or in a hurry twice. */
export function coldBytes(quick = false): number {
  return (quick ? 2 : 4) * lastLevelCacheBytes();
}

/** Measures the ceilings of this machine with so many threads: FMA peak and read bandwidth. */
export function probeRoofline(threads: number, seconds: number): Roofline {
  // A virtual machine may have more of its host's cache than it is told: four times that much was read at up to twice the rate of memory.
  const sweep = Math.max(coldBytes(), 512 * 2 ** 20);
  const probed = JSON.parse(execFileSync(rooflineProgram(), [threads, sweep, seconds].map(String), { encoding: 'utf8' }));
  return { peakGflops: probed.peakGflops, bandwidthGBs: probed.bandwidthGBs };
}

/** @returns what reads so many bytes of memory, as fast as this machine can with so many threads; it fails once the reader has ended */
export function plainReading(threads: number, bytes: number): () => Promise<unknown> {
  const reader = spawn(rooflineProgram(), [threads, bytes].map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(reader, 'exit').then(([code, signal]) => {
    throw new Error(`the reader of memory ended with ${signal ?? `exit code ${code}`}`);
  });
  ended.catch(() => {}); // for the calls to tell
  reader.stdin.on('error', () => {}); // likewise: it has ended
  return () => {
    reader.stdin.write('\n');
    return Promise.race([once(reader.stdout, 'data'), ended]);
  };
}

function rooflineProgram(): string {
  const program = fileURLToPath(new URL('../build/Release/sk_roofline', import.meta.url));
  if (!existsSync(program)) throw new Error(`${program} is missing; run 'npm run build:native' first`);
  return program;
}

/** As Linux tells it; 32 MiB where it does not. */
function lastLevelCacheBytes(): number {
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  const levels = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('index')) : [];
  const sizes = levels.map((level) => parseSize(readFileSync(`${folder}/${level}/size`, 'utf8')));
  return sizes.length > 0 ? Math.max(...sizes) : 32 * 2 ** 20;
}

/** '32768K' -> bytes */
function parseSize(text: string): number {
  const [, digits = '0', unit = ''] = /^(\d+)([KMG]?)/.exec(text) ?? [];
  return Number(digits) * 1024 ** ' KMG'.indexOf(unit || ' ');
}
