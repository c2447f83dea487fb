/** A system file with one plan, of which a test says the limits. */
import { parseSystem as parse } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';

/** Lines below the plan, and lines of the section `monitor`. */
export function parseSystem(plan: readonly string[], monitor: readonly string[] = []): System {
  const lines = [
    'system: shop',
    'stores:',
    '  vault: { kind: directory, path: /srv/vault }',
    '  away: { kind: directory, path: /mnt/away, place: elsewhere }',
    'components:',
    '  data: { kind: files, tier: critical, path: /data }',
    'plans:',
    '  daily:',
    '    components: [data]',
    '    stores: [vault, away]',
    "    schedule: '0 2 * * *'",
    '    rpo: 1d',
    ...plan.map((line) => `    ${line}`),
    ...(monitor.length === 0 ? [] : ['monitor:', ...monitor.map((line) => `  ${line}`)]),
    ...KEYS,
  ];
  return parse(lines.join('\n'), 'shop.yaml');
}

const KEYS = [
  'keys:',
  `  recipients: [age1${'q'.repeat(58)}, age1${'p'.repeat(58)}]`,
  '  chunkIdKey: { env: CHUNK_ID_KEY }',
  '  signer: { file: /etc/holdfast/signer }',
  `  rootFingerprint: SHA256:${'A'.repeat(43)}`,
];
