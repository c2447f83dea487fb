/** What becomes of bytes that were given to a tool. */
import type { PostgresAccess } from '../../postgres/types.ts';
import { freeOwn } from '../freed-memory.ts';

/**
 * Frees bytes when the tool has asked for the next ones, so that the garbage collector need not look for them. A tool in
 * a container may ask while an engine is still sending them: there they are left to the collector.
 */
export function whenSpent({ server }: Pick<PostgresAccess, 'server'>): (bytes: Uint8Array) => void {
  return server.tools.kind === 'host' ? freeOwn : () => undefined;
}
