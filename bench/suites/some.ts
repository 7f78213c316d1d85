/** So many percent of [0, count), the last of them always. */
export function someOf(count: number, percent: number, next: () => number): number[] {
  const ids = Array.from({ length: count - 1 }, (_, id) => id);
  const wanted = Math.round((count * percent) / 100) - 1;
  for (let i = 0; i < wanted; i++) {
    const j = i + (next() % (ids.length - i));
    [ids[i], ids[j]] = [ids[j] as number, ids[i] as number];
  }
  return [...ids.slice(0, wanted).sort((a, b) => a - b), count - 1];
}
