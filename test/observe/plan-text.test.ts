import { expect, test } from 'vitest';
import { planText } from '../../src/cli/plan-text.ts';
import { coloursFor } from '../../src/observe/colours.ts';
import type { RestorePlan } from '../../src/workflows/contract.ts';

const plan: RestorePlan = {
  ...{ digest: 'ab'.repeat(32), backup: 'b-1', manifestKey: 'backups/b-1.json', store: 'nas', actions: [] },
  ...{ pointAt: '2026-06-01T00:00:00Z', components: [], warnings: ['it warns'], ageSeconds: 3600 },
};
const NOW_MS = Date.parse('2026-06-01T12:00:30Z');
const textOf = (more: Partial<RestorePlan>): string =>
  planText({ ...plan, ...more }, coloursFor({ isTTY: false }), NOW_MS);

test('[G5] something is replaced: the plan says how long it is kept aside, and until when at least', () => {
  const text = textOf({ keepAsideSeconds: 7 * 86_400 });
  expect(text).toMatch(
    /aside .*kept aside for 7 d.*it goes with a backup or restore after 2026-06-08T12:00Z\n.*it warns/,
  );
  expect(textOf({})).not.toContain('aside');
});
