/** What must not be committed to git: found by name, by form and by the word beside a value; references are none. */
import { describe, expect, test } from 'vitest';
import { isSecretVariable, secretIn } from '../../src/policy/secret-like.ts';

describe('[T5] secrets in text files', () => {
  test.each([
    ['.env', 'PORT=80'],
    ['config/.env.production', ''],
    ['certs/server.key', 'x'],
    ['home/id_ed25519', 'x'],
    ['app.yaml', 'database:\n  password: hunter22\n'],
    ['app.yaml', 'apiKey: "abcdef123456"'],
    ['app.ini', 'db_passwd = correct horse'],
    ['app.toml', "client_secret = 'Zm9v'"],
    ['app.json', '  "accessToken": "ey.J0.eXA",'],
    ['run.sh', 'export SLACK_TOKEN=xoxb-1234567890-abc'],
    ['app.yaml', 'url: postgres://app:s3cr3t@db/app'],
    ['readme.md', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['notes.txt', 'AGE-SECRET-KEY-1QQQQ'],
    ['aws.conf', 'id AKIAIOSFODNN7EXAMPLE'],
  ])('%s with %j stays out', (path, text) => {
    expect(secretIn(path, text)).toBeDefined();
  });

  test.each([
    ['app.yaml', 'database:\n  password: ${DB_PASSWORD}\n  port: 5432\n'],
    ['app.yaml', 'password: { env: DB_PASSWORD }'],
    ['app.yaml', 'passwordFile: /run/secrets/db'],
    [
      'compose.yaml',
      'services:\n  db:\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\n    image: postgres:16',
    ],
    ['app.yaml', 'url: postgres://app:${DB_PASSWORD}@db/app'],
    ['app.yaml', 'token: <your token>'],
    ['app.yaml', 'tokens:\n  limit: 100\n  secretRotation: true\n'],
    ['app.conf', 'listen 443;\nserver_name example.net;'],
  ])('%s with %j may be committed', (path, text) => {
    expect(secretIn(path, text)).toBeUndefined();
  });

  test('the reason never repeats the value', () => {
    expect(secretIn('app.yaml', 'password: hunter22')).not.toContain('hunter22');
  });

  test('variables: by their name, and by what they hold', () => {
    expect(isSecretVariable('APP_SECRET_KEY', 'x')).toBe(true);
    expect(isSecretVariable('APP_DATABASE_URL', 'postgres://app:s3cr3t@db/app')).toBe(true);
    expect(isSecretVariable('APP_LEVEL', 'info')).toBe(false);
  });
});
