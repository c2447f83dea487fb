/** Where recovery of a database cluster is to end, as a person writes it. Pure. */
import { HoldfastError } from '../failures.ts';
import { formatLsn, parseLsn } from './lsn.ts';

export type RecoveryTarget =
  | { readonly kind: 'end' }
  /** `text` is RFC 3339 in UTC, with the microseconds that were written. */
  | { readonly kind: 'time'; readonly atMs: number; readonly text: string }
  | { readonly kind: 'lsn'; readonly lsn: bigint; readonly text: string }
  | { readonly kind: 'name'; readonly name: string };

const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/i;
/** What a restore point may be called so that it needs no quoting; PostgreSQL allows 63 bytes. */
const NAME = /^[\w.:@+-][\w .:@+-]{0,62}$/;

/** `end`, `time:<RFC 3339>`, `lsn:<LSN>` or `name:<restore point>`. Throws BadInput that says what is accepted. */
export function parseRecoveryTarget(text: string): RecoveryTarget {
  if (text === 'end') return { kind: 'end' };
  const colon = text.indexOf(':');
  const value = text.slice(colon + 1);
  switch (colon === -1 ? '' : text.slice(0, colon)) {
    case 'time':
      return timeTarget(value);
    case 'lsn': {
      const lsn = parseLsn(value);
      return { kind: 'lsn', lsn, text: formatLsn(lsn) };
    }
    case 'name':
      if (NAME.test(value)) return { kind: 'name', name: value };
      throw new HoldfastError('BadInput', `${JSON.stringify(value.slice(0, 70))} can't be the name of a restore point`);
    default:
      throw new HoldfastError(
        'BadInput',
        `"${text.slice(0, 70)}" is not end, time:2026-11-21T02:00:00Z, lsn:16/B374D848 or name:before-release`,
      );
  }
}

/** The reverse, in one spelling: what the digest of a plan covers. */
export function recoveryTargetText(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'end':
      return 'end';
    case 'time':
      return `time:${target.text}`;
    case 'lsn':
      return `lsn:${target.text}`;
    case 'name':
      return `name:${target.name}`;
  }
}

function timeTarget(value: string): RecoveryTarget {
  const found = TIME.exec(value);
  const atMs = found === null ? Number.NaN : Date.parse(`${found[1] ?? ''}T${found[2] ?? ''}${found[4] ?? ''}`);
  if (Number.isNaN(atMs)) {
    throw new HoldfastError('BadInput', `"${value.slice(0, 40)}" is not a time such as 2026-11-21T02:00:00Z`);
  }
  const fraction = found?.[3] ?? '';
  const text = new Date(atMs).toISOString().replace('.000Z', `${fraction}Z`);
  return { kind: 'time', atMs: atMs + Number(fraction === '' ? 0 : fraction) * 1000, text };
}
