/** What a backup keeps of a volume beside its data, as the artifact `volume.json`. */
import { z } from 'zod';

import type { VolumeFacts } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ArtifactReader } from '../../part.ts';
import { jsonArtifact, readJsonArtifact } from './json-artifact.ts';

export const TREE = 'tree.tar';
const FACTS = 'volume.json';

const schema = z.object({
  format: z.literal(1),
  name: z.string(),
  driver: z.string(),
  labels: z.record(z.string(), z.string()),
  options: z.record(z.string(), z.string()),
});
export type KeptFacts = z.infer<typeof schema>;

export function factsArtifact(volume: VolumeFacts): Artifact {
  const { name, driver, labels, options } = volume;
  return jsonArtifact(FACTS, { format: 1, name, driver, labels: sorted(labels), options: sorted(options) });
}

/** Throws ArchiveBroken when the artifact is missing or something else. */
export async function keptFacts(artifacts: readonly ArtifactReader[], signal: AbortSignal): Promise<KeptFacts> {
  const parsed = schema.safeParse(await readJsonArtifact(artifactNamed(artifacts, FACTS), signal));
  if (parsed.success) return parsed.data;
  throw new HoldfastError(
    'ArchiveBroken',
    `${FACTS} of the backup is not a volume's: ${z.prettifyError(parsed.error)}`,
  );
}

export function artifactNamed(artifacts: readonly ArtifactReader[], name: string): ArtifactReader {
  const found = artifacts.find((artifact) => artifact.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError('ArchiveBroken', `The backup of this component has no ${name}`);
}

/** The same facts give the same bytes, so that they are stored once. */
function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
