import { expect, it } from 'vitest';
import { containersNamed } from '../../src/docker/named.ts';
import type { ContainerFacts } from '../../src/docker/types.ts';

function container(name: string, project?: string): ContainerFacts {
  return { id: `id-${name}`, name, ...(project === undefined ? {} : { project }) } as ContainerFacts;
}

const two = [container('a-connector-1', 'a'), container('b-connector-1', 'b')];
const names = (found: readonly ContainerFacts[]) => found.map(({ name }) => name);

it('two stacks have the service: only that of the own project is meant', () => {
  expect(names(containersNamed(two, 'connector', 'a'))).toEqual(['a-connector-1']);
  expect(names(containersNamed(two, 'connector', 'c'))).toEqual([]);
});

it("a container's own name: it alone, whatever else has a service of that name", () => {
  expect(names(containersNamed([...two, container('connector')], 'connector', 'a'))).toEqual(['connector']);
});

it('no project is known: the only one is meant; several are refused with their names', () => {
  expect(names(containersNamed(two.slice(1), 'connector', undefined))).toEqual(['b-connector-1']);
  expect(() => containersNamed(two, 'connector', undefined)).toThrow(/several Compose projects: a, b/);
});
