/** Where a kind's artifacts go: into a session of the vault, with what came out of it written down. */
import type { CaptureSink } from '../sources/kinds/component.ts';
import type { ArtifactRef, CaptureSession, StoreCounts, StoredArtifact } from '../vault/types.ts';

export interface RecordingSink extends CaptureSink {
  readonly refs: readonly ArtifactRef[];
  readonly stored: readonly StoredArtifact[];
  readonly counts: readonly StoreCounts[];
  /** What was stored is durable when this resolves. */
  finish(): Promise<void>;
  /** All of it was read back. */
  wasReadBack(): void;
  /** Always to be called. */
  close(): Promise<void>;
}

export function recordingSink(session: CaptureSession): RecordingSink {
  const refs: ArtifactRef[] = [];
  const stored: StoredArtifact[] = [];
  const counts: StoreCounts[] = [];
  return {
    refs,
    stored,
    counts,
    store: async (artifact) => {
      const { ref, added, ...rest } = await session.store(artifact);
      refs.push(ref);
      stored.push({ ref, added });
      counts.push(rest.counts);
    },
    finish: () => session.finish(),
    wasReadBack: () => session.wasReadBack(),
    close: () => session.close(),
  };
}
