/** Records are compared byte by byte with what their content would be written as: damage in an escape shows as well. */
import { HoldfastError } from '../failures.ts';
import { canonicalSignature } from '../seal/ssh-signature.ts';
import type { OpenedRecord } from './envelope.ts';
import { recordBytes } from './formats.ts';

/** Throws ObjectCorrupt when a signed record holds and yet has other bytes than it was written with. */
export function requireAsWritten(
  key: string,
  bytes: Uint8Array,
  record: Pick<OpenedRecord<unknown>, 'bodyText' | 'signature'>,
): void {
  const written = recordBytes({ body: record.bodyText, signature: record.signature });
  if (written.equals(bytes) && canonicalSignature(record.signature) === record.signature) return;
  throw new HoldfastError('ObjectCorrupt', `${key} does not have the bytes it was written with`, { details: { key } });
}
