import { describe, expect, test } from 'vitest';
import { judgeServers, type AnswerVerdict } from '../../../src/policy/failover/dns-answers.ts';
import {
  commandHeld,
  commandRevert,
  standingOf,
  type CommandFacts,
  type EntryFacts,
  type Standing,
} from '../../../src/policy/failover/dns-standing.ts';

type Said = 'as wanted' | 'other' | 'no answer';

/** One name, or several when a server says several things. */
function serversSay(...said: readonly (Said | readonly Said[])[]): AnswerVerdict {
  const answers = said.flatMap((one, index) =>
    (typeof one === 'string' ? [one] : one).map((verdict, name) => ({
      ...{ role: 'authoritative', server: `ns-${index}`, name: `name-${name}`, type: 'A', verdict, values: [] },
    })),
  );
  return judgeServers(answers);
}

describe('what all authoritative servers say together', () => {
  test.each<[AnswerVerdict, ...(Said | readonly Said[])[]]>([
    ['answered', 'as wanted'],
    ['answered', 'as wanted', 'as wanted', 'as wanted', 'as wanted'],
    ['answered by most', 'as wanted', 'as wanted', 'as wanted', 'no answer'],
    ['answered by most', 'as wanted', 'as wanted', 'as wanted', 'other'],
    ['answered by most', 'as wanted', 'as wanted', 'no answer'],
    // Half is no majority, and one of one is all.
    ['hardly answered', 'as wanted', 'as wanted', 'no answer', 'no answer'],
    ['hardly answered', 'no answer'],
    ['hardly answered', 'no answer', 'no answer', 'no answer', 'no answer'],
    ['answered otherwise', 'other'],
    ['answered otherwise', 'as wanted', 'other'],
    ['answered otherwise', 'other', 'other', 'as wanted', 'no answer'],
    // A server counts for what is wanted when it says so of every name.
    ['answered by most', 'as wanted', ['as wanted', 'as wanted'], ['as wanted', 'no answer']],
    ['answered otherwise', ['as wanted', 'other'], ['as wanted', 'other'], 'as wanted'],
  ])('%s: %j %j %j %j', (verdict, ...said) => {
    expect(serversSay(...said)).toBe(verdict);
  });

  test('resolvers remember, so that they count only where nobody else could be asked', () => {
    const answer = { name: 'www', type: 'A', values: [] } as const;
    const resolver = { ...answer, role: 'resolver', server: 'r', verdict: 'other' } as const;
    const first = { ...answer, role: 'authoritative', server: 'a', verdict: 'as wanted' } as const;
    expect(judgeServers([resolver, first])).toBe('answered');
    expect(judgeServers([resolver])).toBe('answered otherwise');
    expect(judgeServers([])).toBe('answered');
  });
});

describe('where names lead when something went wrong', () => {
  test.each<[Standing, EntryFacts['held'], AnswerVerdict | undefined]>([
    ['here', 'as planned', 'answered'],
    ['here', 'as planned', 'answered by most'],
    ['here', 'as planned', undefined],
    ['on its way', 'as planned', 'hardly answered'],
    ['on its way', 'as planned', 'answered otherwise'],
    ['as before', 'as before', 'answered otherwise'],
    ['as before', 'as before', 'hardly answered'],
    ['as before', 'as before', undefined],
    ['unknown', 'as before', 'answered'],
    ['unknown', 'otherwise', 'answered'],
    ['unknown', 'otherwise', undefined],
    ['here', 'unread', 'answered'],
    ['here', 'unread', 'answered by most'],
    // The old answer proves nothing: a change may have been sent, and arrives later.
    ['unknown', 'unread', 'answered otherwise'],
    ['unknown', 'unread', 'hardly answered'],
    ['unknown', 'unread', undefined],
    ['unknown', 'unreadable', undefined],
  ])('%s: it stands %s, and is %s', (standing, held, answered) => {
    const facts = {
      title: 'zone Z1',
      toSite: 'dublin',
      held,
      detail: 'why',
      answers: ['ns-1 says of www A: 192.0.2.1'],
    };
    const stands = standingOf({ ...facts, ...(answered === undefined ? {} : { answered }) });
    expect(stands.standing).toBe(standing);
    expect(stands.words).toMatch(/^zone Z1: .*ns-1 says of www A: 192\.0\.2\.1$/);
  });
});

describe('names that only a command knows of', () => {
  test.each<[ReturnType<typeof commandHeld>, ReturnType<typeof commandRevert>, CommandFacts, string]>([
    ['as before', 'as it was', { before: 'a', now: 'a', verified: undefined }, 'reads as before'],
    ['as before', 'as it was', { before: 'a', now: 'a', verified: false }, 'reads as before, is not verified'],
    ['as planned', 'put back', { before: 'a', now: 'b', verified: true }, 'reads otherwise, is verified'],
    ['as planned', 'put back', { before: undefined, now: undefined, verified: true }, 'is verified'],
    ['otherwise', 'leave', { before: 'a', now: 'c', verified: false }, 'reads otherwise, is not verified'],
    ['otherwise', 'leave', { before: 'a', now: 'c', verified: undefined }, 'reads otherwise: ours, or by hand'],
    ['otherwise', 'leave', { before: undefined, now: undefined, verified: false }, 'is not verified'],
    ['unreadable', 'leave', { before: undefined, now: undefined, verified: undefined }, 'has neither'],
    // Such as a command that prints nothing of the site: nothing was changed by what it reads.
    ['as planned', 'as it was', { before: 'a', now: 'a', verified: true }, 'reads as before, is verified'],
  ])('%s, and a revert says %s: %o %s', (held, revert, facts) => {
    expect(commandHeld(facts)).toBe(held);
    expect(commandRevert(facts)).toBe(revert);
  });
});
