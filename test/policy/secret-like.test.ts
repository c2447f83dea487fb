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
    ['app.yaml', 'database: { user: app, password: hunter22 }'],
    ['app.json', '{"db":{"user":"app","password":"hunter22"},"port":80}'],
    ['app.yaml', 'db:\n  password: |\n    hunter22\n'],
    ['app.xml', '<user>app</user><password>hunter22</password>'],
    ['compose.yaml', '    command: serve --api-token=hunter22 --port 80'],
    ['run.sh', 'curl --token hunter22 http://x'],
    ['pod.yaml', 'env:\n  - name: DB_PASSWORD\n    value: hunter22\n'],
    ['run.sh', 'export DB_PASSWORD=hunter22'],
    ['production.env', 'PORT=80'],
    ['run.sh', 'export DB_PASSWORD=hunter22'],
    ['app.json', '{"user": "app", "password": "hunter22", "port": 1}'],
    ['app.json', '{"password": {"env": "DB"}, "token": "abc"}'],
    ['app.yaml', 'database: { user: app, password: hunter22 }'],
    ['app.yaml', 'dsn_parts: host=db user=app password=hunter22'],
    ['app.xml', '<password>hunter22</password>'],
    ['compose.yaml', '      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-hunter22}'],
    ['compose.yaml', '    command: ["redis-server", "--requirepass", "hunter22"]'],
    ['redis.conf', 'requirepass hunter22'],
    ['users.conf', 'app:$2y$10$abcdefghijklmnopqrstuv'],
    ['users.yaml', 'password: $2y$10$abcdefghijklmnopqrstuv'],
    ['notify.yaml', 'url: https://hooks.slack.com/services/T0/B0/x'],
    ['nginx.conf', 'proxy_set_header Authorization "Basic dXNlcjpodW50ZXIyMg==";'],
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
    ['app.yaml', 'database: { user: app, password: ${DB_PASSWORD}, port: 80 }'],
    ['app.json', '{"db":{"password":"${DB_PASSWORD}","user":"app"}}'],
    ['app.xml', '<password>${db.password}</password><secrets/>'],
    ['compose.yaml', '    command: serve --token-file /run/secrets/token'],
    ['notes.md', '# the password: ask the one who is on call'],
    ['pod.yaml', 'env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef: { name: db, key: password }\n'],
    ['nginx.conf', 'proxy_pass http://127.0.0.1:8080;\nfastcgi_pass unix:/run/php.sock;'],
    ['app.json', '{"user": "app", "password": "${DB_PASSWORD}", "port": 1}'],
    ['app.yaml', 'database: { user: app, password: ${DB_PASSWORD} }'],
    ['compose.yaml', '      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}\n      TOKEN: "$TOKEN"'],
    ['compose.yaml', '    command: --default-authentication-plugin=mysql_native_password'],
    ['run.sh', 'DB_PASSWORD="$(cat /run/secrets/db)"'],
  ])('%s with %j may be committed', (path, text) => {
    expect(secretIn(path, text)).toBeUndefined();
  });

  test('a line of a mebibyte: looked through at once', () => {
    expect(secretIn('rule.md', `${'-'.repeat(1024 * 1024)}\n${'a: ${A}, '.repeat(1000)}`)).toBeUndefined();
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
