import { expect, test } from 'vitest';
import { postgresFailure } from '../../src/postgres/errors.ts';

const failed = (code: string): string => postgresFailure(Object.assign(new Error('it said'), { code }), 'connect').code;

test('errors of the system with five letters are no states of the server: the one is waited for, the other is not', () => {
  expect([failed('EPIPE'), failed('EPERM')]).toEqual(['PostgresUnreachable', 'PostgresDenied']);
});

test('states of the server: by state, else by class, else it refused', () => {
  expect(['57P03', '3D000', '42501', '42P01'].map(failed)).toEqual([
    'PostgresUnreachable',
    'SourceMissing',
    'PostgresDenied',
    'PostgresRefused',
  ]);
});
