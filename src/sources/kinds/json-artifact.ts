/** Small JSON documents as artifacts. */
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ArtifactReader } from '../../part.ts';

const LIMIT_BYTES = 16 * 1024 * 1024;

export function jsonArtifact(name: string, value: unknown): Artifact {
  const bytes = Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
  return {
    name,
    mediaType: 'application/json',
    async *segments() {
      await Promise.resolve();
      yield {
        kind: 'stream',
        cut: 'content',
        async *open() {
          await Promise.resolve();
          yield new Uint8Array(bytes);
        },
      };
    },
  };
}

/** Throws ArchiveBroken when it is no JSON, or larger than any that Holdfast writes. */
export async function readJsonArtifact(artifact: ArtifactReader, signal: AbortSignal): Promise<unknown> {
  if (artifact.lengthBytes > LIMIT_BYTES) {
    throw new HoldfastError('ArchiveBroken', `${artifact.name} is ${artifact.lengthBytes} bytes long`);
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of artifact.read({ signal })) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown;
  } catch (error) {
    throw new HoldfastError('ArchiveBroken', `${artifact.name} is not JSON`, { cause: error });
  }
}
