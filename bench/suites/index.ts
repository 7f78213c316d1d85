import type { BenchCase, Suite } from '../suite.js';
import { attentionSuite } from './attention.js';
import { convSuite } from './conv.js';
import { nmSuite } from './nm.js';

/** Every suite that the command line knows. */
export const suites: ReadonlyMap<string, Suite> = new Map([entry(attentionSuite), entry(convSuite), entry(nmSuite)]);

/** A suite only ever gets its own cases back, so the type of its cases may be forgotten here. */
function entry<Case extends BenchCase>(suite: Suite<Case>): [string, Suite] {
  return [suite.name, suite as unknown as Suite];
}
