// What the runner says to an action and wants to hear from it: inputs, state, variables, commands.

import { appendFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { EOL } from 'node:os';

export function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim();
}

/** What the main part has left for the part after the job. */
export function state(name) {
  return process.env[`STATE_${name}`] ?? '';
}

export function saveState(name, value) {
  tell('GITHUB_STATE', name, value);
}

/** For every later step of the job. */
export function setVariable(name, value) {
  tell('GITHUB_ENV', name, value);
}

export function setOutput(name, value) {
  tell('GITHUB_OUTPUT', name, value);
}

export function addToSummary(markdown) {
  const file = process.env.GITHUB_STEP_SUMMARY;
  if (file) appendFileSync(file, markdown);
}

/** From now on the runner shows `***` in its place, whoever prints it. */
export function mask(secret) {
  command('add-mask', secret);
}

export function warn(message) {
  command('warning', message);
}

/** The step fails. */
export function fail(message) {
  command('error', message);
  process.exitCode = 1;
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Text of others: no line of it is a command. */
export function quote(text) {
  const end = randomUUID();
  say(`::stop-commands::${end}`);
  say(text);
  say(`::${end}::`);
}

function command(name, message) {
  const escaped = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  say(`::${name}::${escaped}`);
}

function tell(variable, name, value) {
  const file = process.env[variable];
  if (!file) throw new Error(`${variable} is not set: this runs as an action of GitHub's`);
  // Whatever the value holds, it does not hold this.
  const end = `end-${randomUUID()}`;
  appendFileSync(file, `${name}<<${end}${EOL}${value}${EOL}${end}${EOL}`);
}
