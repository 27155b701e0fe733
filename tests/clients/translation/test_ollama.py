"""The official Ollama SDK for Python, to upstreams of every dialect."""

import ollama

from harness import now
from translation.matrix import INTERPRETER, TOOLS, Matrix, for_every_upstream


class Chat(Matrix):
    broken = limited = ollama.ResponseError
    # The dialect has no place for marks, and the SDK drops the ids of calls.
    keeps_marks = keeps_ids = False
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in TOOLS.items()]

    @classmethod
    def setUpClass(cls):
        cls.client = ollama.Client(host=INTERPRETER, timeout=30)
        cls.addClassCleanup(cls.client._client.close)

    def begin(self, image=None):
        return [{"role": "user", "content": self.prompt, **({"images": [image]} if image else {})}]

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        more = {"tools": self.tools, "think": True} if thinks else {}
        lines = self.client.chat(model, conversation, stream=stream, **more)
        message = {"role": "assistant", "content": "", "tool_calls": []}
        for line in lines if stream else [lines]:
            answer.say(line.message.content)
            answer.thoughts += line.message.thinking or ""
            message["tool_calls"] += line.message.tool_calls or []
        answer.calls = [(None, call.function.name, call.function.arguments) for call in message["tool_calls"]]
        self.assertEqual((line.done, line.done_reason), (True, "stop"))
        answer.usage = (line.prompt_eval_count, None, line.eval_count, None)
        conversation.append({**message, "content": "".join(answer.pieces), "thinking": answer.thoughts})

    def add_results(self, conversation, results):
        conversation += [{"role": "tool", "tool_name": name, "content": text} for _, name, text in results]

    def leave(self, model):
        lines = self.client.chat(model, self.begin(), stream=True)
        for _ in zip(range(5), lines):
            pass
        lines.close()
        return now()

    def retry_after(self, error):
        """The SDK does not tell."""
        self.assertEqual(error.status_code, 429)
        return "7"


for_every_upstream(globals(), Chat)
