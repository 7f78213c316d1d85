import { linearRegression } from 'simple-statistics';
import { parsePointwise } from '../cases/conv.js';
import type { Measured } from '../suite.js';

/** How time grows with voxels, and from which density on dense 1x1 layers are faster. */
export function curves(rows: readonly Measured[]): string[] {
  const threads = [...new Set(rows.map((row) => row.threads))];
  const lines = threads.flatMap((count) => {
    const of = rows.filter((row) => row.threads === count);
    return [...growth(of), ...breakEven(of)].map((line) => `${count} thread(s), ${line}`);
  });
  return [...lines, ...memory(rows.filter((row) => row.threads === threads[0]))];
}

/** Nanoseconds a voxel of one layer at several numbers of voxels. */
function growth(rows: readonly Measured[]): string[] {
  const layers = rows.filter((row) => row.pattern === 'surface' && row.shape.in === 32 && row.shape.out === 64);
  const points = layers
    .sort((a, b) => (a.shape.size as number) - (b.shape.size as number))
    .map(({ shape: { size = 1 }, oursMs }) => `${size}: ${((oursMs * 1e6) / size).toFixed(0)} ns`);
  return points.length > 1 ? [`time of a 32x64 layer per voxel, by voxels: ${points.join(', ')}`] : [];
}

/** What maps and runs take beside inputs and outputs. */
function memory(rows: readonly Measured[]): string[] {
  return rows.flatMap(({ peak, shape }) => {
    if (!peak) return [];
    const [map, building, running] = [peak.made, peak.making, peak.running].map((bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`);
    return [
      `${shape.size} voxels, ${shape.in}x${shape.out}: a map of ${map}; peak while it is built ${building}, of a run beside it ${running}`,
    ];
  });
}

/** Our time is about a line over the density; the peer's does not depend on it. */
function breakEven(rows: readonly Measured[]): string[] {
  const nameOf = ({ shape }: Measured) => `${shape.size} px, ${shape.in}x${shape.out}`;
  return [...new Set(rows.map(nameOf))].flatMap((name) => {
    const points = rows.flatMap((row) => {
      if (nameOf(row) !== name) return [];
      const pointwise = parsePointwise(row.pattern);
      return pointwise?.block === 1 ? [[1 - pointwise.zeros, row.oursMs / row.peerMs] as [number, number]] : [];
    });
    if (points.length < 2) return [];
    const { m, b } = linearRegression(points);
    const density = (1 - b) / m;
    if (!(m > 0 && density > 0)) return []; // too noisy to tell
    return [`1x1 at ${name}: as fast as dense at about ${(100 * Math.min(1, density)).toFixed(0)} % of weights kept`];
  });
}
