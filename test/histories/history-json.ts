/**
 * Histories as readable JSON, by the generated classes themselves: the SDK's own converter breaks when npm has installed
 * protobufjs more than once.
 */
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';

export type History = temporal.api.history.v1.IHistory;

const { History: Histories } = proto.temporal.api.history.v1;

/** A plain value: enums by name, bytes in Base64, 64-bit numbers as text. */
export function historyToPlain(history: History): { events: Record<string, unknown>[] } {
  const plain = Histories.toObject(Histories.fromObject(history), { enums: String, bytes: String, longs: String });
  return plain as { events: Record<string, unknown>[] };
}

export function historyFromPlain(plain: unknown): History {
  return Histories.fromObject(plain as Record<string, unknown>);
}
