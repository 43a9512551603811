// Starts a Larder for the rest of the job, and points turbo at it. One that does not start costs hits, never the job.

import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findProgram } from './program.mjs';
import { begin, ready, tail } from './larder.mjs';
import { fail, input, mask, quote, saveState, say, setOutput, setVariable, warn } from './runner.mjs';
import { larderEnvironment, parseConfig, turboVariables } from './settings.mjs';

// The system takes no longer name for a socket than 104 bytes, on macOS, and some are for what comes below.
const LONGEST_FOLDER = 72;

const job = process.env;
const names = ['binary', 'url', 'sha256', 'upstream', 'token', 'team', 'data-dir', 'config', 'strict'];
const inputs = Object.fromEntries(names.map((name) => [name, input(name)]));
// Before anything is printed.
if (inputs.token) mask(inputs.token);

const log = { file: '' };
try {
  await start();
} catch (error) {
  const refuse = inputs.strict === 'true' ? fail : warn;
  setOutput('api', '');
  refuse(`Larder did not start: ${error.message}${inputs.strict === 'true' ? '' : '. The job goes on without.'}`);
  const said = tail(log.file);
  if (said) quote(said);
}

async function start() {
  if (process.platform === 'win32') throw new Error('it runs on Linux and macOS');
  const folder = ownFolder();
  log.file = path.join(folder, 'larder.log');
  const socket = path.join(folder, 'admin.sock');
  const dataDir = path.resolve(inputs['data-dir'] || path.join(folder, 'data'));
  const environment = larderEnvironment(parseConfig(inputs.config), inputs, job, folder);
  const program = await findProgram(inputs, folder);
  const beganEmpty = !existsSync(path.join(dataDir, 'v1'));
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });

  const flags = ['--admin-listen', `unix:${socket}`, '--data-dir', dataDir];
  if (inputs.upstream) flags.push('--upstream', inputs.upstream);
  const begun = begin(program, flags, { environment, log: log.file, word: path.join(folder, 'api') });
  // At once: a job may be cancelled while this waits.
  const left = { pid: begun.pid ?? '', socket, log: log.file, beganEmpty };
  for (const [name, value] of Object.entries(left)) saveState(name, value);
  const api = await ready(begun, socket).catch((error) => {
    saveState('pid', '');
    throw error;
  });

  for (const [name, value] of Object.entries(turboVariables(api, inputs, job))) setVariable(name, value);
  setOutput('api', api);
  say(`Larder serves at ${api}; what it keeps is in ${dataDir}.`);
  const said = tail(log.file);
  if (said) quote(said);
  const known = (name, given) => given || job[name];
  if (!known('TURBO_TOKEN', inputs.token) || !(known('TURBO_TEAM', inputs.team) || job.TURBO_TEAMID)) {
    say('turbo asks a remote cache only where it has a token and a team: TURBO_TOKEN, and TURBO_TEAM or TURBO_TEAMID.');
  }
}

/** A folder that nobody else looks into. */
function ownFolder() {
  const temp = job.RUNNER_TEMP ?? '';
  const base = temp && temp.length <= LONGEST_FOLDER ? temp : os.tmpdir();
  return mkdtempSync(path.join(base, 'larder-'));
}
