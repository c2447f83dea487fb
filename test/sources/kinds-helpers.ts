/** What the kinds of components are given in tests: no vault, no engine, a state directory. */
import { join } from 'node:path';
import type { Artifact, ArtifactReader } from '../../src/part.ts';
import { HoldfastError } from '../../src/failures.ts';
import type { CaptureSink, KindContext } from '../../src/sources/kinds/component.ts';
import { materialise, readerOf } from './materialise.ts';

export function contextIn(directory: string, signal = new AbortController().signal): KindContext {
  return {
    signal,
    report: () => undefined,
    docker: () => {
      throw new HoldfastError('DockerUnreachable', 'there is no Docker in this test');
    },
    stateDirectory: join(directory, 'state'),
    system: 'test',
  };
}

/** Takes artifacts into memory and gives them back as readers. */
export class MemorySink implements CaptureSink {
  readonly readers: ArtifactReader[] = [];

  async store(artifact: Artifact): Promise<void> {
    const { bytes } = await materialise(artifact);
    this.readers.push(readerOf(artifact.name, artifact.mediaType, bytes));
  }
}

export const EVERYTHING = { paths: [] } as const;
