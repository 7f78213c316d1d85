/** Oracles of the rules of sparse training: one scalar at a time, as the papers write them. Shares nothing with the library. */
import { best, type Rows } from './prune.js';

/** SR-STE for one weight. */
export function srSte(w: number, g: number, m: number, rate: number, lambda: number): number {
  return w - rate * (g + lambda * (1 - m) * w);
}

/** Algorithm 1 of CAST for one scalar over all its steps; returns the weight after each. */
export function adamS(
  start: number,
  gradients: readonly number[],
  masks: readonly number[],
  o: { steps: number; rate: number; lambda: number; betas: readonly [number, number]; epsilon: number },
): number[] {
  const [b1, b2] = o.betas;
  let [theta, mu, v] = [start, 0, 0];
  return gradients.map((g, t) => {
    mu = b1 * mu + (1 - b1) * g;
    const alpha = t / o.steps;
    const muTilde = masks[t] === 0 ? (1 - alpha) * mu + alpha * o.lambda * Math.sign(theta) : mu;
    v = b2 * v + (1 - b2) * muTilde ** 2;
    const [muHat, vHat] = [muTilde / (1 - b1 ** (t + 1)), v / (1 - b2 ** (t + 1))];
    theta -= (o.rate * muHat) / (Math.sqrt(vHat) + o.epsilon);
    return theta;
  });
}

/** Which connections SET removes: the given fraction of each sign, nearest to 0 first. */
export function setDropped(weight: readonly number[], mask: readonly number[], fraction: number): number[] {
  return [(w: number) => w >= 0, (w: number) => w < 0].flatMap((sign) => {
    const connections = weight.map((_, i) => i).filter((i) => mask[i] === 1 && sign(weight[i] as number));
    const nearest = best(
      connections.map((i) => -Math.abs(weight[i] as number)),
      Math.floor(connections.length * fraction),
    );
    return nearest.map((k) => connections[k] as number);
  });
}

/** The mask after one update of RigL. */
export function rigl(weight: readonly number[], gradient: readonly number[], mask: readonly number[], fraction: number): number[] {
  const connections = weight.map((_, i) => i).filter((i) => mask[i] === 1);
  const exchanged = Math.floor(connections.length * fraction);
  const stay = best(
    connections.map((i) => Math.abs(weight[i] as number)),
    connections.length - exchanged,
  ).map((k) => connections[k] as number);
  const free = weight.map((_, i) => i).filter((i) => !stay.includes(i));
  const grown = best(
    free.map((i) => Math.abs(gradient[i] as number)),
    exchanged,
  ).map((k) => free[k] as number);
  return weight.map((_, i) => (stay.includes(i) || grown.includes(i) ? 1 : 0));
}

/** Eigenvalues of a symmetric matrix, descending: two-sided Jacobi rotations. */
export function eigenvalues(matrix: Rows): number[] {
  const a = matrix.map((row) => [...row]);
  const n = a.length;
  const at = (i: number, j: number) => (a[i] as number[])[j] as number;
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(at(p, q)) < 1e-300) continue;
        const angle = Math.atan2(2 * at(p, q), at(q, q) - at(p, p)) / 2;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (const row of a)
          [row[p], row[q]] = [c * (row[p] as number) - s * (row[q] as number), s * (row[p] as number) + c * (row[q] as number)];
        const [rp, rq] = [[...(a[p] as number[])], [...(a[q] as number[])]];
        a[p] = rp.map((value, k) => c * value - s * (rq[k] as number));
        a[q] = rp.map((value, k) => s * value + c * (rq[k] as number));
      }
    }
  }
  return a.map((row, i) => row[i] as number).sort((x, y) => y - x);
}

/** What magnitude N:M pruning of a matrix keeps. */
export function keptMagnitude(weight: Rows, n: number, m: number): number {
  let sum = 0;
  for (const row of weight) {
    for (let first = 0; first < row.length; first += m) {
      const group = row.slice(first, first + m).map(Math.abs);
      sum += group
        .sort((a, b) => b - a)
        .slice(0, n)
        .reduce((a, b) => a + b, 0);
    }
  }
  return sum;
}
