"""Gemini's generateContent. It names no calls, and signs the first call of a turn."""

import json
import re

from .story import CACHED, CALLS, INPUT, MARK, OUTPUT, REASONING, RETRY_AFTER, Heard

CONTENT_TYPE = "text/event-stream"
IDS = [None, None]
USAGE = {
    "promptTokenCount": INPUT,
    "cachedContentTokenCount": CACHED,
    "candidatesTokenCount": OUTPUT - REASONING,
    "thoughtsTokenCount": REASONING,
    "totalTokenCount": INPUT + OUTPUT,
}


def asked(path, _request):
    model, action = path.removeprefix("models/").split(":")
    assert action in ("generateContent", "streamGenerateContent"), path
    return model, action == "streamGenerateContent"


def camel(value):
    """`value` with its names in camel case: JSON of a protocol buffer may have them in either."""
    if isinstance(value, dict):
        return {re.sub("_([a-z])", lambda match: match[1].upper(), name): camel(of) for name, of in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def base64(text):
    """The same for both alphabets: Google's SDKs write that of URLs."""
    return text.replace("-", "+").replace("_", "/")


def hear(request):
    heard, request = Heard(), camel(request)
    called = []
    for content in request["contents"]:
        parts = content["parts"]
        assert parts, "contents must have parts"
        if content.get("role", "user") == "user":
            answered = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
            assert answered == called, f"{called} were called, and {answered} have responses"
            called = []
            for part in parts:
                hear_user(heard, part)
        else:
            # Several contents in a row are one turn: Google's SDKs keep each chunk as one.
            assert content["role"] == "model", content
            for part in parts:
                hear_model(heard, part)
            called += [part["functionCall"]["name"] for part in parts if "functionCall" in part]
    assert not called, f"{called} have no responses"
    for tool in request.get("tools", []):
        for function in tool["functionDeclarations"]:
            heard.tools.append([function["name"], function.get("parametersJsonSchema") or function["parameters"]])
    thinking = request.get("generationConfig", {}).get("thinkingConfig", {})
    heard.thinks = thinking.get("includeThoughts", False)
    return heard


def hear_user(heard, part):
    if "inlineData" in part:
        heard.images.append([part["inlineData"]["mimeType"], base64(part["inlineData"]["data"])])
    elif "functionResponse" in part:
        # A response must be an object; a text has a field of its own in it.
        name, response = part["functionResponse"]["name"], part["functionResponse"]["response"]
        heard.results.append([name, response.get("output", response.get("result"))])
    else:
        heard.prompt = heard.prompt or part["text"]


def hear_model(heard, part):
    if "functionCall" in part:
        call = part["functionCall"]
        assert isinstance(call.get("args", {}), dict), call
        heard.hear_call(None, call["name"], call.get("args", {}))
        heard.marks += [base64(part["thoughtSignature"])] if "thoughtSignature" in part else []
    elif part.get("thought"):
        heard.thoughts.append(part["text"])
    else:
        assert "text" in part, part


def answer(parts, **more):
    candidate = {"content": {"parts": parts, "role": "model"}, **more, "index": 0}
    tail = {"usageMetadata": USAGE, "modelVersion": "scripted", "responseId": "w1peaMz6INOvnvgPgYfPiQY"}
    return {"candidates": [candidate], **tail}


def part_of(call):
    part = {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
    return {**part, "thoughtSignature": MARK} if call is CALLS[0] else part


class Speaker:
    def __init__(self, _request):
        pass

    def chunk(self, value):
        return f"data: {json.dumps(value)}\r\n\r\n".encode()

    def begin(self):
        return b""

    def thoughts(self, _index, pieces):
        for piece in pieces:
            yield self.chunk(answer([{"text": piece, "thought": True}]))

    def text(self, _index, pieces):
        for piece in pieces:
            yield self.chunk(answer([{"text": piece}]))

    def call(self, _index, call):
        yield self.chunk(answer([part_of(call)]))

    def end(self, _parts):
        return self.chunk(answer([{"text": ""}], finishReason="STOP"))

    def failure(self, text):
        return self.chunk({"error": {"code": 503, "message": text, "status": "UNAVAILABLE"}})


def whole(_request, parts):
    told = []
    for kind, content in parts:
        if kind == "text":
            told.append({"text": "".join(content)})
        elif kind == "thoughts":
            told.append({"text": "".join(content), "thought": True})
        else:
            told.append(part_of(content))
    return answer(told, finishReason="STOP")


def refusal(status, text):
    if status == 429:
        # It says in the body what others say in a header.
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{RETRY_AFTER}s"}]
        return {"error": {"code": 429, "message": text, "status": "RESOURCE_EXHAUSTED", "details": details}}
    return {"error": {"code": status, "message": text, "status": "INVALID_ARGUMENT"}}
