"""The official Google Gen AI SDK for Python, to upstreams of every dialect, by way of its chats."""

import base64

from google import genai
from google.genai import errors, types

from harness import PATIENT, Case, now
from translation.matrix import INTERPRETER, TOOLS, Matrix, for_every_upstream


def client(url):
    return genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url, timeout=30_000))


class Generate(Matrix):
    broken, limited = errors.APIError, errors.ClientError
    tools = types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, parameters_json_schema=schema) for name, schema in TOOLS.items()
        ]
    )

    @classmethod
    def setUpClass(cls):
        cls.client = client(INTERPRETER)
        cls.addClassCleanup(cls.client.close)

    def begin(self, image=None):
        picture = [types.Part.from_bytes(data=base64.b64decode(image), mime_type="image/png")] if image else []
        return {"chat": None, "next": [types.Part.from_text(text=self.prompt), *picture]}

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        config = types.GenerateContentConfig(tools=[self.tools]) if thinks else types.GenerateContentConfig()
        if thinks:
            config.thinking_config = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
        chat = conversation["chat"] = conversation["chat"] or self.client.chats.create(model=model, config=config)
        said = conversation["next"]
        chunks = chat.send_message_stream(said) if stream else [chat.send_message(said)]
        for chunk in chunks:
            for part in chunk.candidates[0].content.parts or [] if chunk.candidates else []:
                if part.function_call:
                    call = part.function_call
                    answer.calls.append((call.id, call.name, call.args))
                elif part.thought:
                    answer.thoughts += part.text or ""
                else:
                    answer.say(part.text)
        self.assertEqual(chunk.candidates[0].finish_reason, types.FinishReason.STOP)
        usage = chunk.usage_metadata
        thought = usage.thoughts_token_count or 0
        cached = usage.cached_content_token_count or 0
        answer.usage = (usage.prompt_token_count, cached, usage.candidates_token_count + thought, thought)

    def add_results(self, conversation, results):
        answers = [types.FunctionResponse(id=id, name=name, response={"output": text}) for id, name, text in results]
        conversation["next"] = [types.Part(function_response=answer) for answer in answers]

    def leave(self, model):
        stream = self.client.models.generate_content_stream(model=model, contents=self.prompt)
        for _ in zip(range(5), stream):
            pass
        stream.close()
        return now()

    def retry_after(self, error):
        """The API says it in the body, and only there."""
        details = error.details["error"]["details"]
        (delay,) = [detail["retryDelay"] for detail in details if detail["@type"].endswith("RetryInfo")]
        self.assertEqual(error.code, 429)
        return delay.removesuffix("s")


class Models(Case):
    def test_models_are_listed_and_found(self):
        with client(PATIENT) as models_client:
            self.assertIn("models/text", [model.name for model in models_client.models.list()])
            self.assertEqual(models_client.models.get(model="text").name, "models/text")


for_every_upstream(globals(), Generate)
